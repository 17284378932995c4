// Package handover is the talk of two gitds, of which the next takes the place of the one before: over a socket that
// the next one is started with, each says how far it is.
//
// It owns the order of the steps, how the next gitd is started, and that each learns of the other's end. It does not
// own what is done at a step, nor the doors that the next one inherits (package doors).
package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
)

// The steps, in their order. Up to Prepared nothing is changed. Between Go and Serving neither of the two works with
// the state folder and the machines but the next one, and the one before serves requests from what it has in memory.
const (
	prepared = "prepared" // by the next: its flags and doors are good
	begin    = "go"       // by the one before: the state folder is free
	serving  = "serving"  // by the next: its doors are open
	main     = "main"     // by the one before: the service manager knows the next one
	failed   = "failed"   // by the next, at any moment before serving
)

// message is one line in either direction.
type message struct {
	Step    string `json:"step"`
	Version string `json:"version,omitempty"` // of the next one, with prepared
	Why     string `json:"why,omitempty"`     // with failed
}

// ErrGone says that the other one has ended.
var ErrGone = errors.New("the other gitd has ended")

// line is one end of the socket.
type line struct {
	conn net.Conn
	enc  *json.Encoder
	got  chan message // closed at the end of the other one
}

func newLine(f *os.File) (*line, error) {
	conn, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return nil, err
	}
	l := &line{conn: conn, enc: json.NewEncoder(conn), got: make(chan message, 8)}
	go l.read()
	return l, nil
}

func (l *line) read() {
	defer close(l.got)
	for dec := json.NewDecoder(l.conn); ; {
		var m message
		if dec.Decode(&m) != nil {
			return
		}
		l.got <- m
	}
}

// await waits for a step.
func (l *line) await(done <-chan struct{}, step string) (message, error) {
	select {
	case m, ok := <-l.got:
		switch {
		case !ok:
			return m, ErrGone
		case m.Step == failed:
			return m, errors.New(m.Why)
		case m.Step != step:
			return m, fmt.Errorf("the other gitd says %q where %q is due", m.Step, step)
		}
		return m, nil
	case <-done:
		return message{}, errors.New("it takes too long")
	}
}

// Before is the gitd before, as the next one sees it.
type Before struct {
	line
	gone chan struct{}
	once sync.Once
}

// Var is the environment variable with the descriptors that the next gitd is started with.
const Var = "GITD_HANDOVER"

type descriptors struct {
	Line int `json:"line"`
	Lock int `json:"lock"` // of the state folder
}

// Inherit finds the gitd before in the environment, and takes it out of that. before is nil if there is none. lock is
// the lock of the state folder, which the two of them share until the one before has ended.
func Inherit() (before *Before, lock *os.File, err error) {
	text := os.Getenv(Var)
	os.Unsetenv(Var) //nolint:errcheck // it cannot fail for a good name
	if text == "" {
		return nil, nil, nil
	}
	var d descriptors
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", Var, err)
	}
	l, err := newLine(os.NewFile(uintptr(d.Line), "handover"))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", Var, err)
	}
	return &Before{line: *l, gone: make(chan struct{})}, own(d.Lock), nil
}

// Prepared says that this gitd can begin, and waits until it may.
func (b *Before) Prepared(version string) error {
	if err := b.enc.Encode(message{Step: prepared, Version: version}); err != nil {
		return ErrGone
	}
	_, err := b.await(nil, begin)
	return err
}

// Serving says that this gitd serves, and returns when it is the service. That the one before has ended meanwhile is no
// error: this one is all that there is.
func (b *Before) Serving() {
	if b.enc.Encode(message{Step: serving}) == nil {
		b.await(nil, main) //nolint:errcheck // see above
	}
	go b.follow()
}

// follow notes the end of the one before.
func (b *Before) follow() {
	for {
		if _, ok := <-b.got; !ok { // it says nothing more
			break
		}
	}
	b.once.Do(func() { close(b.gone) })
}

// Failed says why this gitd does not begin.
func (b *Before) Failed(why error) {
	b.enc.Encode(message{Step: failed, Why: why.Error()}) //nolint:errcheck // then it sees the end
}

// Gone is closed when the gitd before has ended. Until then it may still have requests on machines that it knew.
func (b *Before) Gone() <-chan struct{} { return b.gone }
