package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
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
