package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func listen(t *testing.T, h Handler) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(context.Background(), l, h) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestCall(t *testing.T) {
	path := listen(t, func(_ context.Context, c Call, s Streams) int {
		in, err := io.ReadAll(s.In)
		if err != nil {
			return 9
		}
		fmt.Fprintf(s.Out, "%s %q %s", c.Name, c.Args, in)
		fmt.Fprint(s.Err, "to people")
		return 3
	})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket mode %v, %v", info.Mode(), err)
	}
	big := strings.Repeat("0123456789", 100_000)
	var out, msg bytes.Buffer
	code, err := Do(t.Context(), path, Call{Name: "cli", Args: []string{"a b", "--c"}}, Streams{In: strings.NewReader(big), Out: &out, Err: &msg})
	if code != 3 || err != nil {
		t.Fatalf("code %d, %v", code, err)
	}
	if want := `cli ["a b" "--c"] ` + big; out.String() != want || msg.String() != "to people" {
		t.Errorf("out %.40q (%d bytes), err %q", out.String(), out.Len(), msg.String())
	}
}

func TestNobodyAnswers(t *testing.T) {
	_, err := Do(t.Context(), filepath.Join(t.TempDir(), "s"), Call{}, Streams{})
	if !errors.Is(err, ErrNoDaemon) || !strings.Contains(err.Error(), "gitd serve") {
		t.Errorf("got %v", err)
	}
}

func TestDaemonEndsInMidCall(t *testing.T) {
	ended := make(chan struct{})
	path := filepath.Join(t.TempDir(), "s")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err == nil {
			conn.Close()
		}
	}()
	_, err = Do(t.Context(), path, Call{Name: "cli"}, Streams{Out: io.Discard, Err: io.Discard})
	<-ended
	if err == nil {
		t.Error("a call that was cut off has no error")
	}
}

func TestCallerGoesAway(t *testing.T) {
	started, ended := make(chan struct{}), make(chan struct{})
	path := listen(t, func(ctx context.Context, _ Call, _ Streams) int {
		close(started)
		<-ctx.Done()
		close(ended)
		return 0
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if _, err := Do(ctx, path, Call{}, Streams{Out: io.Discard, Err: io.Discard}); err == nil {
		t.Error("no error")
	}
	<-ended
}

func TestSecondDaemon(t *testing.T) {
	path := listen(t, func(context.Context, Call, Streams) int { return 0 })
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "another gitd") {
		t.Errorf("got %v", err)
	}
}

func TestStaleSocketIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

// TestResize: a terminal's size and its changes reach the call, whether the
// call reads its input or not.
func TestResize(t *testing.T) {
	path := listen(t, func(_ context.Context, c Call, s Streams) int {
		if c.Size == nil || *c.Size != (Size{80, 24}) {
			return 8
		}
		for size := range s.Resized {
			if size == (Size{132, 50}) {
				return 0
			}
		}
		return 9
	})
	sizes := make(chan Size, 3)
	for _, w := range []int{81, 82, 132} {
		sizes <- Size{w, 50}
	}
	code, err := Do(t.Context(), path, Call{Name: "cli", Size: &Size{80, 24}}, Streams{In: neverRead{t.Context()}, Resized: sizes})
	if code != 0 || err != nil {
		t.Errorf("code %d, %v", code, err)
	}
}

// neverRead is the input of a person who types nothing.
type neverRead struct{ context.Context }

func (r neverRead) Read([]byte) (int, error) {
	<-r.Done()
	return 0, io.EOF
}

// TestStrangerCalls: a process of another user reached the socket, as after a chmod of it, or by a folder's descriptor
// that it was given. The daemon hangs up before it reads a byte of it.
func TestStrangerCalls(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	path := listen(t, func(context.Context, Call, Streams) int { return 0 })
	for dir := path; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	call := func(uid int) error {
		found := make(chan error, 1)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with its identity
			if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); errno != 0 {
				found <- errno
				return
			}
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
			if err == nil {
				err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: path})
			}
			if err != nil {
				found <- err
				return
			}
			conn := os.NewFile(uintptr(fd), path)
			defer conn.Close()
			fmt.Fprintln(conn, `{"call":{"name":"cli"}}`)
			if _, err = conn.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNRESET) {
				err = io.EOF
			}
			found <- err
		}()
		return <-found
	}
	if err := call(0); err != nil {
		t.Errorf("root: %v", err)
	}
	if err := call(65534); !errors.Is(err, io.EOF) {
		t.Errorf("another user: %v", err)
	}
}
