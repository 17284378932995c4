package main

import (
	"bytes"
	"cmp"
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
	asked   []command // what was to be started; read it when nothing is started
	over    chan error
	thawed  chan struct{}
	says    string // what the app writes to stdout; "": words
}

// noSuchPID is larger than any number that Linux gives to a process, so that signals to its group reach nobody.
const noSuchPID = 1 << 23

func newStage(t *testing.T) *stage {
	t.Helper()
	out := newOutbox()
	st := &stage{sent: newSyncBuffer(), started: make(chan *process, 1), thawed: make(chan struct{}, 8), over: make(chan error, 1)}
	st.supervisor = newSupervisor(out, st)
	go out.send(st.sent)
	go func() { st.over <- st.run() }()
	return st
}

func (st *stage) killAll() {}

func (st *stage) stats(lost int64) *guest.Stats { return &guest.Stats{Dropped: lost} }

func (st *stage) freeze() error { return st.fail }

func (st *stage) thaw() { st.thawed <- struct{}{} }

func (st *stage) setTime(t time.Time) (string, error) { return "set to " + t.UTC().String(), nil }

func (st *stage) prepare(*guest.Start) (starter, []string, error) {
	return func(c command) (*process, error) {
		st.asked = append(st.asked, c)
		if st.fail != nil {
			return nil, st.fail
		}
		p := &process{pid: noSuchPID, code: &firstOpen{}}
		for _, text := range []string{cmp.Or(st.says, "words\n"), "words\n"} {
			r, w, err := os.Pipe()
			if err != nil {
				return nil, err
			}
			go func() {
				w.WriteString(text) //nolint:errcheck // a test that ends reads no more
				w.Close()
			}()
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

// stepStory is a start of several steps and how each process of it ends.
type stepStory struct {
	steps []guest.Step
	ends  []unix.WaitStatus
	ran   string // the programs, in order
	code  int
	why   string
}

func TestSteps(t *testing.T) {
	step := func(name string, ok, fail int) guest.Step {
		return guest.Step{Name: name + " $X", Args: []string{name, "secret"}, OK: ok, Fail: fail}
	}
	const fails = unix.WaitStatus(7 << 8)
	for name, c := range map[string]stepStory{
		"one after the other":   {[]guest.Step{step("a", 1, 2), step("b", 2, 2)}, []unix.WaitStatus{0, fails}, "a b", 7, "exit code 7 (b $X)"},
		"a failure ends it":     {[]guest.Step{step("a", 1, 2), step("b", 2, 2)}, []unix.WaitStatus{fails}, "a", 7, "exit code 7 (a $X)"},
		"a failure goes on":     {[]guest.Step{step("a", 2, 1), step("b", 2, 2), step("c", 3, 3)}, []unix.WaitStatus{fails, 0, fails}, "a b c", 7, "exit code 7 (c $X)"},
		"a success skips":       {[]guest.Step{step("a", 2, 1), step("b", 2, 2), step("c", 3, 3)}, []unix.WaitStatus{0, fails}, "a c", 7, "exit code 7 (c $X)"},
		"echo is no program":    {[]guest.Step{step("echo", 1, 2), step("b", 2, 2)}, []unix.WaitStatus{0}, "b", 0, "exit code 0: it ended by itself; a server goes on (b $X)"},
		"never back":            {[]guest.Step{step("a", 1, 2), step("b", 0, 1)}, []unix.WaitStatus{0, 0}, "a b", 0, "exit code 0"},
		"a signal is a failure": {[]guest.Step{step("a", 2, 1), step("b", 2, 2)}, []unix.WaitStatus{unix.WaitStatus(unix.SIGSEGV), 0}, "a b", 0, "exit code 0"},
	} {
		t.Run(name, func(t *testing.T) { c.check(t) })
	}
}

func (c stepStory) check(t *testing.T) {
	t.Helper()
	st := newStage(t)
	st.send(guest.Message{Kind: guest.KindStart, Start: &guest.Start{Env: []string{"A=1"}, Steps: c.steps}})
	for _, status := range c.ends {
		<-st.started
		st.deaths <- death{pid: noSuchPID, status: status}
	}
	said := st.said(t)
	var ran []string
	for _, a := range st.asked {
		ran = append(ran, a.args[0])
	}
	if strings.Join(ran, " ") != c.ran || !strings.Contains(said, "exited") {
		t.Errorf("ran %q, said %q", ran, said)
	}
	r := guest.NewReader(bytes.NewReader(st.sent.bytes()))
	for {
		m, err := r.Read()
		if err != nil {
			t.Fatal("it has not ended")
		}
		if m.Kind == guest.KindLog && m.Log.Stream == "init" && strings.Contains(m.Log.Line, "secret") {
			t.Errorf("init tells the values of variables: %s", m.Log.Line)
		}
		if m.Kind == guest.KindExited {
			if m.Exited.Code != c.code || !strings.Contains(m.Exited.Reason, c.why) || strings.Contains(m.Exited.Reason, "secret") {
				t.Errorf("ended with %+v", m.Exited)
			}
			return
		}
	}
}

// TestStepsRunAgain: after the end of a server, all steps run again. Each has its own folder and variables.
func TestStepsRunAgain(t *testing.T) {
	st := newStage(t)
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	st.send(guest.Message{Kind: guest.KindStart, Start: &guest.Start{
		Env: []string{"A=1", "B=1"}, Port: l.Addr().(*net.TCPAddr).Port, Steps: []guest.Step{
			{Name: "a", Args: []string{"a"}, Env: []string{"B=2"}, OK: 1, Fail: 2}, {Name: "b", Args: []string{"b"}, Dir: "server", OK: 2, Fail: 2},
		},
	}})
	<-st.started
	st.deaths <- death{pid: noSuchPID}
	<-st.started
	st.sent.await(`"listening"`)
	st.deaths <- death{pid: noSuchPID, status: 3 << 8}
	<-st.started // a, after the first pause
	st.send(guest.Message{Kind: guest.KindStop, Stop: &guest.Stop{GraceMillis: 60000}})
	st.deaths <- death{pid: noSuchPID} // b does not run: the machine ends
	st.said(t)
	var ran []string
	for _, c := range st.asked {
		ran = append(ran, strings.Join(c.args, " ")+" "+c.dir+" "+strings.Join(c.env, " "))
	}
	a, b := "a /app A=1 B=2", "b /app/server A=1 B=1"
	if !slices.Equal(ran, []string{a, b, a}) {
		t.Errorf("ran %q", ran)
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

func newSyncBuffer() *syncBuffer {
	s := &syncBuffer{}
	s.more = sync.NewCond(&s.mu)
	return s
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
