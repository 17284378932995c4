package main

import (
	"bytes"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// stage is a host on which nothing runs: a test says when the app listens and when it ends.
type stage struct {
	*supervisor
	sent    *syncBuffer
	fail    error // of starting the app
	started chan *process
	over    chan error
}

// noSuchPID is larger than any number that Linux gives to a process, so that signals to its group reach nobody.
const noSuchPID = 1 << 23

func newStage(t *testing.T) *stage {
	t.Helper()
	out := newOutbox()
	st := &stage{sent: &syncBuffer{}, started: make(chan *process, 1), over: make(chan error, 1)}
	st.sent.more = sync.NewCond(&st.sent.mu)
	st.supervisor = newSupervisor(out, st)
	go out.send(st.sent)
	go func() { st.over <- st.run() }()
	return st
}

func (st *stage) killAll() {}

func (st *stage) stats(lost int64) *guest.Stats { return &guest.Stats{Dropped: lost} }

func (st *stage) setTime(t time.Time) (string, error) { return "set to " + t.UTC().String(), nil }

func (st *stage) prepare(*guest.Start) (starter, []string, error) {
	return func(command) (*process, error) {
		if st.fail != nil {
			return nil, st.fail
		}
		p := &process{pid: noSuchPID, code: &firstOpen{}}
		for range 2 {
			r, w, err := os.Pipe()
			if err != nil {
				return nil, err
			}
			if _, err := w.WriteString("words\n"); err != nil {
				return nil, err
			}
			w.Close()
			p.output = append(p.output, r)
		}
		st.started <- p
		return p, nil
	}, []string{"a warning"}, nil
}

func (st *stage) send(m guest.Message) { st.messages <- m }

// begin starts the app, which counts as listening if something listens on port.
func (st *stage) begin(port int) {
	st.send(guest.Message{Kind: guest.KindStart, Start: &guest.Start{Args: []string{"node"}, Port: port}})
}

// said waits for the end, and returns what was sent to gitd.
func (st *stage) said(t *testing.T) string {
	t.Helper()
	if err := <-st.over; err != nil {
		t.Fatal(err)
	}
	st.out.flush(time.Minute)
	got := texts(t, st.sent.bytes())
	// The lines of the two streams may come in either order.
	return strings.Join(slices.Compact(got), ", ")
}

func TestAppThatNeverListensEndsTheMachine(t *testing.T) {
	st := newStage(t)
	st.begin(0)
	<-st.started
	st.deaths <- death{pid: 4711} // an orphan
	st.deaths <- death{pid: noSuchPID, status: 3 << 8}
	if got := st.said(t); got != "log a warning, log words, exited" {
		t.Errorf("said %q", got)
	}
}

func TestAppThatCannotBeStarted(t *testing.T) {
	st := newStage(t)
	st.fail = errors.New("no such file")
	st.begin(0)
	if got := st.said(t); got != "log a warning, exited" {
		t.Errorf("said %q", got)
	}
}

func TestAppIsRestartedThenStopped(t *testing.T) {
	st := newStage(t)
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	st.begin(l.Addr().(*net.TCPAddr).Port)
	<-st.started
	st.sent.await(`"listening"`)
	st.deaths <- death{pid: noSuchPID, status: unix.WaitStatus(unix.SIGABRT)}
	<-st.started // after the first pause
	st.send(guest.Message{Kind: guest.KindHello})
	st.send(guest.Message{Kind: guest.KindStop, Stop: &guest.Stop{GraceMillis: 60000}})
	st.deaths <- death{pid: noSuchPID}
	got := st.said(t)
	for _, want := range []string{"listening", "exited, log the app starts again in 1s", "booted", "exited"} {
		_, rest, ok := strings.Cut(got, want)
		if !ok {
			t.Fatalf("%q is missing, or not in order: %q", want, got)
		}
		got = rest
	}
}

func TestStopWithoutApp(t *testing.T) {
	st := newStage(t)
	st.stops <- time.Minute
	if got := st.said(t); got != "" {
		t.Errorf("said %q", got)
	}
}

type syncBuffer struct {
	mu   sync.Mutex
	more *sync.Cond
	b    bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.more.Broadcast()
	return s.b.Write(p)
}

// await waits for text. If it does not come, the time limit of the test ends the wait.
func (s *syncBuffer) await(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !strings.Contains(s.b.String(), text) {
		s.more.Wait()
	}
}

func (s *syncBuffer) bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.b.Bytes())
}
