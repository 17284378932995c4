package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// journal is the log of one gitd.
type journal struct{ *feed[string] }

// read takes lines from a daemon's standard error.
func (j journal) read(r io.Reader) {
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		j.add(scan.Text())
	}
}

// tail is the last n lines, for a failure's report.
func (j journal) tail(n int) string { return strings.Join(j.last(n), "\n") }

// ready waits for the line that says so, and returns it.
func (j journal) ready(mark int, over <-chan struct{}) (string, error) {
	return j.wait("line that says ready", func(line string) bool {
		return strings.Contains(line, `"message":"ready"`)
	}, mark, over)
}

// observer gets the transitions of a gitd that was built for the fault tests (testdata/faults/main.go), which waits at
// each until the test lets it go on.
type observer struct{ *feed[core.Transition] }

// listen takes transitions from a socket; each connection brings one.
func (o observer) listen(t *testing.T, socket string) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
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

// take reads a connection's transition, and hangs up when its writer may go on.
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

// await waits for a moment, for a reason that holds this text.
func (o observer) await(m core.Moment, reason string, mark int, over <-chan struct{}) error {
	_, err := o.wait(string(m)+" because of "+reason, func(x core.Transition) bool {
		return x.Moment == m && strings.Contains(x.Reason, reason)
	}, mark, over)
	return err
}
