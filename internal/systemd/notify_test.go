package systemd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// manager listens as systemd does.
func manager(t *testing.T) (socket string, next func() string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return socket, func() string {
		buf := make([]byte, 4096)
		n, err := conn.Read(buf)
		if err != nil {
			t.Error(err)
		}
		return string(buf[:n])
	}
}

// TestTell: the manager gets what it is told, and nothing that gitd starts can speak to it.
func TestTell(t *testing.T) {
	socket, next := manager(t)
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "30000000")
	t.Setenv("WATCHDOG_PID", "")
	m := Take()
	if os.Getenv("NOTIFY_SOCKET")+os.Getenv("WATCHDOG_USEC") != "" {
		t.Error("the variables are left")
	}
	if err := m.Tell(Ready, Status("a\nb"), Main(7)); err != nil {
		t.Fatal(err)
	}
	if got := next(); got != "READY=1\nSTATUS=a b\nMAINPID=7" {
		t.Errorf("%q", got)
	}
	if err := m.Tell(Reloading()); err != nil {
		t.Fatal(err)
	}
	if got := next(); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("%q", got)
	}
	if got := strings.Join(m.Environment(), " "); got != "NOTIFY_SOCKET="+socket+" WATCHDOG_USEC=30000000" {
		t.Errorf("%q", got)
	}
}

// TestNobodyToTell: without a manager, nothing is told and nothing fails.
func TestNobodyToTell(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	m := Take()
	if err := m.Tell(Ready); err != nil || len(m.Environment()) != 0 {
		t.Errorf("%v, %q", err, m.Environment())
	}
	m.Watch(t.Context(), func(context.Context) error { t.Error("watched"); return nil }, nil)
}

// TestWatchdogOfAnother: the watchdog of another process is not ours.
func TestWatchdogOfAnother(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "1000000")
	t.Setenv("WATCHDOG_PID", "1")
	if m := Take(); m.watchdog != 0 {
		t.Error(m.watchdog)
	}
}

// TestWatch: the watchdog hears of gitd while it is well, and does not when it is not.
func TestWatch(t *testing.T) {
	socket, next := manager(t)
	m := Manager{socket, 20 * time.Millisecond}
	ctx, cancel := context.WithCancel(t.Context())
	ill, n := make(chan error, 100), 0
	over := make(chan struct{})
	go func() {
		defer close(over)
		m.Watch(ctx, func(context.Context) error {
			if n++; n > 2 {
				return errors.New("the ledger cannot be read")
			}
			return nil
		}, func(err error) { ill <- err })
	}()
	for range 2 {
		if got := next(); got != "WATCHDOG=1" {
			t.Errorf("%q", got)
		}
	}
	if err := <-ill; err.Error() != "the ledger cannot be read" {
		t.Error(err)
	}
	cancel()
	<-over
}

// TestWatchHangs: a look that never ends is given half of the watchdog's time.
func TestWatchHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		Manager{"nowhere", 10 * time.Second}.Watch(ctx,
			func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
			func(error) { cancel() })
		if took := time.Since(began); took != 5*time.Second {
			t.Error(took)
		}
	})
}
