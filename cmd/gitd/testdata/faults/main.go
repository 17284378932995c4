// This file takes the place of cmd/gitd/main.go in the gitd that the fault
// test runs (go build -overlay): the product has nothing of it. The daemon's
// log is then not only written but handed over, line by line, to the test,
// and whoever logged a line goes on when the test says so. A fault can
// be made exactly between one step of a deployment and the next.
package main

import (
	"context"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	var log io.Writer = os.Stderr
	if socket := os.Getenv("GITD_TEST_JOURNAL"); socket != "" {
		log = journal(socket)
	}
	code := run(ctx, os.Args, os.Stdin, os.Stdout, log)
	stop()
	os.Exit(code)
}

// journal is the socket of the test.
type journal string

// Write hands over one line and waits for the test to hang up.
func (j journal) Write(line []byte) (int, error) {
	c, err := net.Dial("unix", string(j))
	if err != nil {
		return os.Stderr.Write(line)
	}
	defer c.Close()
	n, err := c.Write(line)
	if err == nil {
		_, err = c.Read(make([]byte, 1)) // until it is closed
	}
	if err == io.EOF {
		err = nil
	}
	return n, err
}
