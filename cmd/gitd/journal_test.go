package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// journal is the log of one gitd.
type journal struct{ *feed[string] }

// read adds the lines of a daemon's standard error.
func (j journal) read(r io.Reader) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		j.add(scan.Text())
	}
}

// tail returns the last n lines, for the report of a failure.
func (j journal) tail(n int) string { return strings.Join(j.last(n), "\n") }

// ready waits for the line that says that gitd is ready, and returns it.
func (j journal) ready(mark int, over <-chan struct{}) (string, error) {
	return j.wait("line that says ready", func(line string) bool {
		return strings.Contains(line, `"message":"ready"`)
	}, mark, over)
}

// observer gets the transitions of a gitd that was built for the fault tests (testdata/faults/main.go). That gitd waits
// at each transition until the test lets it go on.
type observer struct{ *feed[core.Transition] }

// listen takes transitions from a socket. Each connection brings one.
func (o observer) listen(t *testing.T, socket string) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Chmod(socket, 0o666); err != nil { // gitd does not run as the tests' user, if that is root
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go o.take(c)
		}
	}()
}

// take reads the transition of a connection, and closes the connection when the sender may go on.
func (o observer) take(c net.Conn) {
	defer c.Close()
	var x core.Transition
	if json.NewDecoder(c).Decode(&x) != nil {
		return
	}
	if tr := o.add(x); tr != nil {
		<-tr.free
	}
}

// at arms a trap for a moment of any app.
func (o observer) at(m core.Moment) *trap[core.Transition] {
	return o.trap(string(m), func(x core.Transition) bool { return x.Moment == m })
}

// await waits for a moment whose reason contains this text.
func (o observer) await(m core.Moment, reason string, mark int, over <-chan struct{}) error {
	_, err := o.wait(string(m)+" because of "+reason, func(x core.Transition) bool {
		return x.Moment == m && strings.Contains(x.Reason, reason)
	}, mark, over)
	return err
}
