// Package control is the daemon's unix socket: it runs a named call in the
// daemon with the caller's standard streams, for the commands on the host
// (`gitd apps`) and for git's hooks.
//
// It owns the framing, the socket, and who may call: the daemon's own user,
// and root. It does not own what a call does.
package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/admit"
)

// Call names what the daemon is to do.
type Call struct {
	Name string   `json:"name"` // "cli" or the name of a hook
	Args []string `json:"args,omitempty"`
	Size *Size    `json:"size,omitempty"` // of the caller's standard output; nil: it is no terminal
}

// Size is the size of a terminal, in columns and rows of characters.
type Size struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Streams are the caller's standard streams, and the size of its terminal.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Resized  <-chan Size // later sizes of the terminal; may be nil
}

// frame is one JSON line in either direction. The first frame from the
// client holds the call, the last from the server the exit status.
type frame struct {
	Call *Call  `json:"call,omitempty"`
	In   []byte `json:"in,omitempty"`
	EOF  bool   `json:"eof,omitempty"` // no more In follows
	Size *Size  `json:"size,omitempty"`
	Out  []byte `json:"out,omitempty"`
	Err  []byte `json:"err,omitempty"`
	Exit *int   `json:"exit,omitempty"`
}

// Handler runs one call and returns its exit status. ctx ends when the
// caller is gone.
type Handler func(ctx context.Context, c Call, s Streams) int

// Listen makes the socket at path with mode 0600. A socket that no process answers any more is replaced.
func Listen(path string) (net.Listener, error) {
	if held(path) {
		return nil, fmt.Errorf("another gitd serves this state folder: %s is open", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// farewell bounds how long Serve waits, at its end, for calls to say that they end too.
const farewell = time.Second

// hangUpLimit is how long a process that is ending has to close its socket.
const hangUpLimit = time.Second

// held reports whether a process listens at path. One that was killed a moment
// ago seems to, until the kernel has closed its files and hangs up.
func held(path string) bool {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(hangUpLimit)); err != nil {
		return true
	}
	_, err = conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// Serve answers calls until l is closed. Then it gives those that run a moment
// for their last words: one that drew on a terminal restores it.
func Serve(ctx context.Context, l net.Listener, h Handler) error {
	var calls sync.WaitGroup
	l = admit.Patient(ctx, l, nil) // whoever calls waits until there is a descriptor
	for {
		conn, err := l.Accept()
		if err != nil {
			await(&calls, farewell)
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		if !welcome(conn) {
			conn.Close()
			continue
		}
		calls.Go(func() { serve(ctx, conn, h) })
	}
}

// welcome reports whether the process that connected is of the daemon's own user or root's. The mode of the socket says
// the same; but somebody may change that, and a descriptor of the folder may have got into a process of another user.
func welcome(conn net.Conn) bool {
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		return false
	}
	caller, err := admit.PeerUID(unixConn)
	return err == nil && (caller == 0 || caller == os.Geteuid())
}

// await waits for calls, for a time at most.
func await(calls *sync.WaitGroup, limit time.Duration) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		calls.Wait()
	}()
	select {
	case <-over:
	case <-time.After(limit):
	}
}

func serve(ctx context.Context, conn net.Conn, h Handler) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dec := json.NewDecoder(conn)
	var first frame
	if err := dec.Decode(&first); err != nil || first.Call == nil {
		return
	}
	out := &sender{enc: json.NewEncoder(conn)}
	in, w := io.Pipe()
	sizes := make(chan Size, 1)
	go func() {
		defer cancel()
		receive(dec, w, sizes)
	}()
	code := h(ctx, *first.Call, Streams{In: in, Out: out.stream(outStream), Err: out.stream(errStream), Resized: sizes})
	in.Close()
	out.send(frame{Exit: &code}) //nolint:errcheck // a client that has gone
}

// receive writes the caller's input to w, sends the newest size of its terminal to sizes, and returns when the caller
// is gone.
func receive(dec *json.Decoder, w *io.PipeWriter, sizes chan Size) {
	for {
		var f frame
		if err := dec.Decode(&f); err != nil {
			w.CloseWithError(io.ErrUnexpectedEOF)
			return
		}
		switch {
		case f.EOF:
			w.Close()
		case f.Size != nil:
			select {
			case <-sizes: // the handler has not taken the size before
			default:
			}
			sizes <- *f.Size
		default:
			w.Write(f.In) //nolint:errcheck // a handler that reads no more is no error
		}
	}
}

const (
	outStream = iota
	errStream
)

type sender struct {
	mu  sync.Mutex
	enc *json.Encoder
}

func (s *sender) send(f frame) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enc.Encode(f)
}

func (s *sender) stream(which int) io.Writer { return stream{s, which} }

type stream struct {
	s     *sender
	which int
}

func (w stream) Write(p []byte) (int, error) {
	f := frame{Out: p}
	if w.which == errStream {
		f = frame{Err: p}
	}
	if err := w.s.send(f); err != nil {
		return 0, err
	}
	return len(p), nil
}
