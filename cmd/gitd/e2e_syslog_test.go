package main

import (
	"net"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdSyslog receives messages of syslog over UDP from now on, writes each as a line of the file NAME, and sets the
// variable SYSLOG to its address: syslog NAME. `syslog NAME REGEXP` waits for a message.
func cmdSyslog(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 2 {
		want := regexp.MustCompile(args[1])
		for deadline := time.Now().Add(eventLimit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			text, err := os.ReadFile(ts.MkAbs(args[0]))
			ts.Check(err)
			if want.Match(text) {
				return
			}
		}
		ts.Fatalf("no message %q", args[1])
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	ts.Check(err)
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("SYSLOG", "udp://"+conn.LocalAddr().String())
	var ended sync.WaitGroup
	ended.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			file.Write(append(buf[:n:n], '\n')) //nolint:errcheck // the script waits for what is written
		}
	})
	ts.Defer(func() {
		conn.Close()
		ended.Wait()
		file.Close()
	})
}
