package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/base/filelock"
	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// waitingLog reports the line that says that a gitd is waited for.
type waitingLog struct{ seen chan struct{} }

func (w waitingLog) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("another gitd has the state folder")) {
		close(w.seen)
	}
	return len(line), nil
}

// TestHoldState: the gitd before is waited for while it ends; one that serves is named and left alone.
func TestHoldState(t *testing.T) {
	state := core.StateDir(t.TempDir())
	if err := os.WriteFile(lockFile(state), []byte("4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := filelock.TakeFile(t.Context(), lockFile(state), func() { t.Error("nobody has it") })
	if err != nil {
		t.Fatal(err)
	}
	t.Run("ending", func(t *testing.T) {
		log, holder := waitingLog{make(chan struct{})}, before
		go func() {
			<-log.seen
			holder.Close()
		}()
		if before, err = holdState(t.Context(), state, zerolog.New(log)); err != nil {
			t.Fatal(err)
		}
		if got := lockHolder(lockFile(state)); got != fmt.Sprintf("process %d", os.Getpid()) {
			t.Errorf("the lock is said to be of %s", got)
		}
	})
	t.Run("told to end while it waits", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		log := waitingLog{make(chan struct{})}
		go func() {
			<-log.seen
			cancel()
		}()
		if _, err := holdState(ctx, state, zerolog.New(log)); err == nil {
			t.Error("two have the state folder")
		}
	})
	t.Run("killed, and not yet gone", func(t *testing.T) {
		l, err := net.Listen("unix", state.Socket()) // takes connections, and nobody answers
		if err != nil {
			t.Fatal(err)
		}
		log, holder := waitingLog{make(chan struct{})}, before
		go func() {
			<-log.seen
			l.Close()
			holder.Close()
		}()
		if before, err = holdState(t.Context(), state, zerolog.New(log)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("serving", func(t *testing.T) {
		l, err := control.Listen(state.Socket())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		go control.Serve(t.Context(), l, func(context.Context, control.Call, control.Streams) int { return 0 }) //nolint:errcheck // ends with l
		_, err = holdState(t.Context(), state, zerolog.Nop())
		want := fmt.Sprintf("another gitd, process %d, serves this state folder", os.Getpid())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	})
	before.Close()
}

// TestMendWaitsForAnEndingGitd: a gitd that ends has closed its socket and may still write to the ledger. The commands
// that mend a ledger looked at the socket alone, and could put the ledger aside under that gitd's hands.
func TestMendWaitsForAnEndingGitd(t *testing.T) {
	state := core.StateDir(t.TempDir())
	ending, err := filelock.Take(t.Context(), lockFile(state), func() { t.Error("nobody has it") })
	if err != nil {
		t.Fatal(err)
	}
	log, worked := waitingLog{make(chan struct{})}, make(chan struct{})
	mended := make(chan error, 1)
	h := &host{state: string(state), out: io.Discard}
	go func() {
		mended <- h.mendHere(t.Context(), zerolog.New(log), func(core.StateDir, *progress.Report) error { close(worked); return nil })
	}()
	<-log.seen
	select {
	case <-worked:
		t.Error("the ledger was touched while a gitd ended")
	default:
	}
	ending()
	if err := <-mended; err != nil {
		t.Error(err)
	}
	<-worked
}
