package overview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// shelf is a source with apps of a test's choice.
type shelf struct {
	rows []Row
	err  error
	logs chan core.Line
	ctx  context.Context // of the log that was opened last
}

func (s *shelf) Rows(context.Context) ([]Row, error) { return s.rows, s.err }

func (s *shelf) Log(ctx context.Context, _ string, _ int) (<-chan core.Line, error) {
	s.ctx = ctx
	return s.logs, s.err
}

func apps(n int) []Row {
	var rows []Row
	for i := range n {
		rows = append(rows, Row{
			App: fmt.Sprintf("app%02d", i), State: "running", Release: i + 1, CPU: -1, Requests: 1234,
			Stats: &core.Stats{MemoryUsed: 90 << 20, MemoryTotal: 128 << 20},
			URL:   fmt.Sprintf("http://app%02d.localhost/", i),
		})
	}
	return rows
}

// seen is what is on the screen, without colours.
func seen(s *model) string { return ansi.Strip(s.View().Content) }

func press(s *model, keys ...string) tea.Cmd {
	var cmd tea.Cmd
	for _, k := range keys {
		cmd = s.press(k)
	}
	return cmd
}

func started(from *shelf, size terminal.Size) *model {
	s := newModel(context.Background(), from, Screen{Window: terminal.Window{Size: size}, Empty: "No app yet. The first push makes one: git push ssh://nodeos@h:22/APP main"})
	s.Update(s.read())
	return s
}

func TestScreenShowsTheApps(t *testing.T) {
	s := started(&shelf{rows: apps(3)}, terminal.Size{Width: 80, Height: 24})
	got := seen(s)
	for _, want := range []string{"gitd: 3 apps", "APP", "app00", "running", "v3", "90 MiB/128 MiB", "1,234"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	for from, want := range map[*shelf]string{
		{}:                        "No app yet. The first push makes one: git push ssh://nodeos@h:22/APP main",
		{err: errors.New("gone")}: "gone",
	} {
		if got := seen(started(from, terminal.Size{Width: 80, Height: 24})); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestScreenShowsDeployments: a deployment is seen while it runs, and where the app is.
func TestScreenShowsDeployments(t *testing.T) {
	from := &shelf{rows: apps(2)}
	s := started(from, terminal.Size{Width: 80, Height: 24})
	if got := seen(s); !strings.HasSuffix(got, "\n app00: http://app00.localhost/") {
		t.Errorf("no address in the last line of\n%s", got)
	}
	from.rows = apps(2)
	from.rows[1].Step, from.rows[1].Deploying = "v3 booting", "a push by ada\x1b[2J, 1 waits"
	s.Update(s.read())
	press(s, "down")
	got := seen(s)
	for _, want := range []string{"  v3 booting", "\n app01: http://app01.localhost/  a push by ada", ", 1 waits"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	from.rows = apps(2)
	s.Update(s.read())
	if got := seen(s); strings.Contains(got, "booting") || strings.Contains(got, "push") {
		t.Errorf("it is over:\n%s", got)
	}
}

// TestScreenShowsItsKeys: `?` shows what can be pressed, over the apps and over a log, and any key goes back.
func TestScreenShowsItsKeys(t *testing.T) {
	from := &shelf{rows: apps(2), logs: make(chan core.Line, 1)}
	s := started(from, terminal.Size{Width: 80, Height: 24})
	if got := seen(s); !strings.Contains(got, "?: keys") {
		t.Errorf("nothing leads to the keys in\n%s", got)
	}
	for _, back := range []string{"q", "?", "esc", "x"} {
		press(s, "?")
		if got := seen(s); !strings.Contains(got, "enter, →, l") || strings.Contains(got, "app01") {
			t.Errorf("no keys in\n%s", got)
		}
		press(s, back)
		if got := seen(s); !strings.Contains(got, "app01") {
			t.Errorf("%s does not lead back:\n%s", back, got)
		}
	}
	press(s, "enter", "?", "q")
	if got := seen(s); !strings.Contains(got, "log of app00") {
		t.Errorf("the keys do not lead back to the log:\n%s", got)
	}
}

// TestRowsAreCompared: rates are those between two looks at one machine.
func TestRowsAreCompared(t *testing.T) {
	at := time.Now()
	look := func(machine string, after time.Duration, cpu, up time.Duration, requests int64) Row {
		return Row{Machine: machine, At: at.Add(after), Requests: requests, CPU: -1, Stats: &core.Stats{CPU: cpu, Uptime: up}}
	}
	first := look("m1", 0, time.Second, 10*time.Second, 100)
	first.compare(Row{})
	second := look("m1", 2*time.Second, 2*time.Second, 12*time.Second, 150)
	second.compare(first)
	silent := look("m1", 3*time.Second, 2*time.Second, 12*time.Second, 150)
	silent.compare(second)
	other := look("m2", 4*time.Second, time.Second, 2*time.Second, 150)
	other.compare(silent)
	for i, want := range []Row{{CPU: -1, Rate: 0}, {CPU: 0.5, Rate: 25}, {CPU: 0.5, Rate: 0}, {CPU: -1, Rate: 0}} {
		if got := []Row{first, second, silent, other}[i]; got.CPU != want.CPU || got.Rate != want.Rate {
			t.Errorf("look %d: CPU %v, rate %v; want %v, %v", i, got.CPU, got.Rate, want.CPU, want.Rate)
		}
	}
}

// TestScreenStaysInItsTerminal: whatever size, nothing is wider or longer.
func TestScreenStaysInItsTerminal(t *testing.T) {
	from := &shelf{rows: apps(50), logs: make(chan core.Line, 1)}
	for _, size := range []terminal.Size{{Width: 80, Height: 24}, {Width: 20, Height: 5}, {Width: 1, Height: 1}, {Width: 0, Height: 0}, {Width: 300, Height: 100}} {
		s := started(from, size)
		press(s, "end")
		check := func(what string) {
			lines := strings.Split(seen(s), "\n")
			if len(lines) > max(1, size.Height) {
				t.Errorf("%s, %v: %d lines", what, size, len(lines))
			}
			for _, l := range lines {
				if ansi.StringWidth(l) > size.Width {
					t.Errorf("%s, %v: %q", what, size, l)
				}
			}
		}
		check("apps")
		if size.Height > 4 && !strings.Contains(seen(s), "app49"[:min(5, size.Width)]) {
			t.Errorf("%v: the chosen app is not visible:\n%s", size, seen(s))
		}
		press(s, "enter")
		s.Update(linesMsg{pane: s.log, lines: []core.Line{{Text: strings.Repeat("wide ", 100)}}})
		check("log")
	}
}

// TestScreenKeepsItsPlace: the cursor stays on its app when others come and
// go, and on the screen when its app goes.
func TestScreenKeepsItsPlace(t *testing.T) {
	from := &shelf{rows: apps(5)}
	s := started(from, terminal.Size{Width: 80, Height: 24})
	press(s, "down", "down", "down")
	from.rows = from.rows[2:]
	s.Update(s.read())
	if got := s.rows[s.cursor].App; got != "app03" {
		t.Errorf("the cursor is on %s", got)
	}
	from.rows = from.rows[:1]
	s.Update(s.read())
	press(s, "up", "up", "down", "down", "down")
	if s.cursor != 0 {
		t.Errorf("the cursor is on %d of 1", s.cursor)
	}
	from.rows = nil
	s.Update(s.read())
	if cmd := press(s, "down", "end", "enter"); cmd != nil || s.log != nil {
		t.Error("a log of no app was opened")
	}
}

func TestScreenFollowsALog(t *testing.T) {
	from := &shelf{rows: apps(2), logs: make(chan core.Line, 10)}
	s := started(from, terminal.Size{Width: 80, Height: 10})
	press(s, "down", "enter")
	for i := range 5 {
		from.logs <- core.Line{Time: time.Unix(0, 0), Release: 2, Stream: "stdout", Text: fmt.Sprintf("line %d\x1b[2J", i)}
	}
	s.Update(s.log.wait())
	if got := seen(s); !strings.Contains(got, "log of app01: live") || !strings.Contains(got, "v2 stdout: line 4") {
		t.Errorf("\n%s", got)
	}
	for i := range 3 * paneLines {
		s.Update(linesMsg{pane: s.log, lines: []core.Line{{Text: fmt.Sprint("more ", i)}}})
	}
	if len(s.log.text) > paneLines {
		t.Errorf("%d lines are kept", len(s.log.text))
	}
	press(s, "pgup")
	before := strings.SplitN(seen(s), "\n", 2)[1]
	s.Update(linesMsg{pane: s.log, lines: []core.Line{{Text: "new"}}})
	if after := strings.SplitN(seen(s), "\n", 2)[1]; after != before {
		t.Errorf("what is being read moved:\n%s\nto\n%s", before, after)
	}
	press(s, "end")
	if !strings.Contains(seen(s), "new") {
		t.Errorf("the end is not shown:\n%s", seen(s))
	}
	old := s.log
	if press(s, "q"); s.log != nil || from.ctx.Err() == nil {
		t.Error("q does not close the log")
	}
	s.Update(linesMsg{pane: old, lines: []core.Line{{Text: "late"}}})
	if !strings.Contains(seen(s), "gitd: 2 apps") {
		t.Errorf("\n%s", seen(s))
	}
}

// TestWatch runs the program itself: it draws, follows its reader's keys and
// terminal, and leaves the terminal as it was.
func TestWatch(t *testing.T) {
	in, keys := io.Pipe()
	out := &watched{more: make(chan struct{}, 1)}
	screen := Screen{In: in, Out: out, Window: terminal.Window{Size: terminal.Size{Width: 80, Height: 24}, Resized: make(chan terminal.Size)}}
	done := make(chan error, 1)
	go func() { done <- Show(t.Context(), &shelf{rows: apps(2)}, screen) }()
	out.until(t, "app01")
	if _, err := keys.Write([]byte("q")); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("q does not leave")
	}
	text := out.String()
	if !strings.Contains(text, "\x1b[?1049h") || strings.LastIndex(text, "\x1b[?1049l") < strings.LastIndex(text, "\x1b[?1049h") {
		t.Errorf("the screen before it does not come back: %q", text)
	}
	if strings.LastIndex(text, "\x1b[?25h") < strings.LastIndex(text, "\x1b[?25l") {
		t.Error("the cursor stays hidden")
	}
}

// TestWatchEndsWithGitd: when gitd stopped, the terminal was left as it was, in its other screen and without a cursor.
func TestWatchEndsWithGitd(t *testing.T) {
	for _, why := range []error{nil, errors.New("your role was taken away")} {
		ctx, cancel := context.WithCancelCause(t.Context())
		in, _ := io.Pipe()
		out := &watched{more: make(chan struct{}, 1)}
		screen := Screen{In: in, Out: out, Window: terminal.Window{Size: terminal.Size{Width: 80, Height: 24}}}
		done := make(chan error, 1)
		go func() { done <- Show(ctx, &shelf{rows: apps(2)}, screen) }()
		out.until(t, "app01")
		cancel(why)
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Fatal("it goes on")
		}
		text, want := out.String(), "gitd is stopping"
		if why != nil {
			want = why.Error()
		}
		restored, last := strings.LastIndex(text, "\x1b[?1049l"), strings.LastIndex(text, " !     the overview ends: "+want+"\r\n")
		if restored < strings.LastIndex(text, "\x1b[?1049h") || last < restored {
			t.Errorf("the terminal is not as it was, or nothing says why: %q", text)
		}
	}
}

// TestWatchEndsWithItsReader: a connection that is lost leaves no program.
func TestWatchEndsWithItsReader(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	in, _ := io.Pipe()
	out := &watched{more: make(chan struct{}, 1)}
	screen := Screen{In: in, Out: out, Window: terminal.Window{Size: terminal.Size{Width: 80, Height: 24}}}
	done := make(chan error, 1)
	go func() { done <- Show(ctx, &shelf{rows: apps(2)}, screen) }()
	out.until(t, "app01")
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
}

// watched is a terminal whose text can be waited for.
type watched struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func (w *watched) until(t *testing.T, want string) {
	t.Helper()
	limit := time.After(time.Minute)
	for !strings.Contains(w.String(), want) {
		select {
		case <-w.more:
		case <-limit:
			t.Fatalf("no %q in %q", want, w.String())
		}
	}
}
