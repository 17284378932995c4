package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// TestTerminal runs a program on a terminal as a task of a machine has it: it is the program's own, which is told its
// size, and ^C reaches it; what it wrote is sent before the end.
func TestTerminal(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := os.Stat("/dev/ptmx"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("this host has no terminals")
	}
	l, err := newLauncher()
	if err != nil {
		t.Fatal(err)
	}
	sent, out := newSyncBuffer(), newOutbox()
	st := &stage{sent: sent}
	go out.send(sent)
	s := newStreams(out)
	if err := s.openTerminal(guest.Size{Columns: 91, Rows: 17}); err != nil {
		t.Fatal(err)
	}
	p, err := l.start(command{
		args: []string{"/bin/sh", "-c", "stty size; tty; trap 'echo interrupted; exit 0' INT; echo ready; while :; do sleep 0.1; done"},
		env:  []string{"PATH=/bin:/usr/bin"}, dir: "/", terminal: s.slave,
	}, guest.AppUID)
	if err != nil {
		t.Fatal(err)
	}
	await := func(text string) {
		sent.awaitMore(func() bool { return strings.Contains(st.sentOutput(), text) })
	}
	await("17 91")
	await("/dev/pts/")
	await("ready")
	s.received(guest.Input{Data: []byte{3}})
	await("interrupted")
	var ws unix.WaitStatus
	if _, err := unix.Wait4(p.pid, &ws, 0, nil); err != nil || ws.ExitStatus() != 0 {
		t.Errorf("it ended with %v, %v", ws, err)
	}
	s.hangUp()
	done := make(chan struct{})
	go func() {
		s.poured.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Error("a terminal without a program does not end")
	}
}
