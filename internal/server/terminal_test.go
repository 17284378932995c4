package server

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/people"
)

// running is a core in which every app runs.
type running struct{ command.Core }

func (running) Status(_ context.Context, app string) (fleet.AppStatus, error) {
	return fleet.AppStatus{App: app, ProcessStatus: fleet.ProcessStatus{State: fleet.Running, Release: 7}}, nil
}

func (r running) Statuses(ctx context.Context) ([]fleet.AppStatus, error) {
	var all []fleet.AppStatus
	for _, app := range []string{"blog", "shop"} {
		s, err := r.Status(ctx, app)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (running) Overview() deploy.Overview { return deploy.Overview{} }

// talking has one line of output, and no end.
type talking struct{ command.Logs }

func (talking) Follow(ctx context.Context, app string, _ int) (<-chan core.Line, error) {
	lines := make(chan core.Line, 1)
	lines <- core.Line{Release: 7, Stream: "stdout", Text: app + " says hello"}
	context.AfterFunc(ctx, func() { close(lines) })
	return lines, nil
}

// door is a running SSH door with two apps, and a client who is an
// administrator.
func door(t *testing.T) *gossh.Client {
	t.Helper()
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "gitd.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for _, app := range []string{"blog", "shop"} {
		if _, err := l.CreateApp(t.Context(), app); err != nil {
			t.Fatal(err)
		}
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := people.ParseKey("ada", string(gossh.MarshalAuthorizedKey(signer.PublicKey())))
	if err != nil {
		t.Fatal(err)
	}
	known := people.NewService(l)
	if _, err := known.AddKey(t.Context(), core.Host(), key, true); err != nil {
		t.Fatal(err)
	}
	svc := command.Services{
		Ledger: l, Settings: l, People: known, Core: running{}, Logs: talking{},
		Counts: func(string) core.Counts { return core.Counts{Requests: 42} },
		URL:    func(app string) string { return "http://" + app + ".localhost/" },
	}
	return dial(t, Config{
		HostKey: signer, Services: svc, Log: zerolog.Nop(), LoginTimeout: time.Minute, IdleTimeout: time.Minute,
	}, signer)
}

func dial(t *testing.T, cfg Config, signer gossh.Signer) *gossh.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- New(cfg).Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	c, err := gossh.Dial("tcp", listener.Addr().String(), &gossh.ClientConfig{
		User: "nodeos", Auth: []gossh.AuthMethod{gossh.PublicKeys(signer)},
		HostKeyCallback: gossh.FixedHostKey(cfg.HostKey.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// display is a client's terminal.
type display struct {
	*gossh.Session
	keys io.Writer

	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func (d *display) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case d.more <- struct{}{}:
	default:
	}
	return d.text.Write(p)
}

func (d *display) shown() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

func (d *display) until(t *testing.T, pattern string) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	limit := time.After(2 * time.Minute)
	for !re.MatchString(d.shown()) {
		select {
		case <-d.more:
		case <-limit:
			t.Fatalf("no %q in %q", pattern, d.shown())
		}
	}
}

func (d *display) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := io.WriteString(d.keys, keys); err != nil {
		t.Fatal(err)
	}
}

// inTerminal opens a session with a terminal and runs command, or none.
func inTerminal(t *testing.T, c *gossh.Client, width, height int, command string) *display {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	d := &display{Session: s, more: make(chan struct{}, 1)}
	s.Stdout, s.Stderr = d, d
	if d.keys, err = s.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.RequestPty("xterm", height, width, gossh.TerminalModes{}); err != nil {
		t.Fatal(err)
	}
	if command == "" {
		err = s.Shell()
	} else {
		err = s.Start(command)
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOverview: a terminal without a command is the overview; it follows the
// terminal's size, shows an app's log and leaves with exit code 0.
func TestOverview(t *testing.T) {
	d := inTerminal(t, door(t), 100, 24, "")
	d.until(t, `shop\s+running\s+v7`)
	d.press(t, "\x1b[B\r")
	d.until(t, "shop says hello")
	for range 50 { // more than anything buffers
		if err := d.WindowChange(10, 40); err != nil {
			t.Fatal(err)
		}
	}
	d.press(t, "q")
	d.press(t, "q")
	if err := d.Wait(); err != nil {
		t.Errorf("%v: %q", err, d.shown())
	}
	if !strings.Contains(d.shown(), "\x1b[?1049l") {
		t.Error("the screen from before does not come back")
	}
}

// TestHugeTerminal: a size is a client's word, and costs no more memory than
// a large screen.
func TestHugeTerminal(t *testing.T) {
	d := inTerminal(t, door(t), 1<<30, 1<<30, "")
	d.until(t, `shop\s+running`)
	if n := len(d.shown()); n > 1<<20 {
		t.Errorf("%d bytes were drawn", n)
	}
	d.press(t, "q")
	if err := d.Wait(); err != nil {
		t.Error(err)
	}
}

// TestCommandInATerminal: it is fitted and coloured, its lines end as a
// terminal's do, and ^C ends what would go on.
func TestCommandInATerminal(t *testing.T) {
	c := door(t)
	d := inTerminal(t, c, 30, 10, "apps")
	if err := d.Wait(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(d.shown(), "\r\n"), "\r\n") {
		if strings.Contains(line, "\n") || !strings.Contains(line, "…") {
			t.Errorf("%q is not fitted to 30 columns", line)
		}
	}
	for range 50 { // sizes that no command looks at
		if err := inTerminal(t, c, 30, 10, "nope").Wait(); err == nil {
			t.Error("an unknown command is no error")
		}
	}
	d = inTerminal(t, c, 80, 24, "logs shop -t")
	d.until(t, "shop says hello")
	for range 50 {
		if err := d.WindowChange(10, 40); err != nil {
			t.Fatal(err)
		}
	}
	d.press(t, "\x03")
	if err := d.Wait(); err != nil {
		t.Error(err)
	}
}

// TestNoTerminal: without a terminal and a command there is help, and that is
// a wrong command line.
func TestNoTerminal(t *testing.T) {
	s, err := door(t).NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out, msg strings.Builder
	s.Stdout, s.Stderr = &out, &msg
	if err := s.Shell(); err != nil {
		t.Fatal(err)
	}
	err = s.Wait()
	if exit := (*gossh.ExitError)(nil); !errors.As(err, &exit) || exit.ExitStatus() != 2 {
		t.Errorf("exit %v, want 2", err)
	}
	if !strings.Contains(msg.String(), "there is no shell here, ada") || !strings.Contains(out.String(), "config:set") || strings.Contains(out.String(), "\x1b") {
		t.Errorf("%q and %q", msg.String(), out.String())
	}
}
