package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// readyLimit is for the start of a server.
const readyLimit = time.Minute

// gitd is a daemon of this run.
type gitd struct {
	b         *bench
	state     string
	process   *process
	ssh, http string // addresses
	metrics   string
}

// server is the gitd that the parts push to, which is started when the first asks for it.
func (b *bench) server(ctx context.Context) (_ *gitd, err error) {
	if b.gitd == nil {
		b.gitd, err = b.serve(ctx, "gitd", empty)
	}
	return b.gitd, err
}

// withSpares is one that keeps a machine ready, which the other does not.
func (b *bench) withSpares(ctx context.Context) (_ *gitd, err error) {
	if b.spares == nil {
		b.spares, err = b.serve(ctx, "spares", empty, "--spares", "1", "--keep-warm", "0")
	}
	return b.spares, err
}

// empty is a state folder of which nothing is known.
func empty(string) error { return nil }

// serve starts a gitd with a state folder of its own, in which fill may put something before. Bases and caches are
// those of earlier runs; the first push, of which nothing is measured, makes them otherwise.
func (b *bench) serve(ctx context.Context, name string, fill func(state string) error, flags ...string) (*gitd, error) {
	state := filepath.Join(b.work, name)
	if err := errors.Join(emptied(state, "bases", "cache"), os.MkdirAll(state, 0o711)); err != nil {
		return nil, err
	}
	g, err := b.serveAgain(ctx, name, fill, flags...)
	if err != nil {
		return nil, err
	}
	return g, g.addKey(ctx)
}

// serveAgain is serve with the state folder as it is.
func (b *bench) serveAgain(ctx context.Context, name string, fill func(state string) error, flags ...string) (*gitd, error) {
	g := &gitd{b: b, state: filepath.Join(b.work, name)}
	if err := fill(g.state); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	g.metrics = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	g.process, err = b.start(name, append([]string{filepath.Join(b.bin, "gitd"), "--state", g.state, "serve",
		"--ssh", "127.0.0.1:0", "--http", "127.0.0.1:0", "--metrics", g.metrics, "--on-stop", "halt", "--spares", "0"}, flags...)...)
	if err != nil {
		return nil, err
	}
	b.ends = append(b.ends, g.process.end)
	return g, g.ready(ctx)
}

// emptied removes what is in a folder but for the names.
func emptied(dir string, but ...string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		keep := false
		for _, name := range but {
			keep = keep || e.Name() == name
		}
		if !keep {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// line is what is read of gitd's log.
type line struct{ Message, SSH, HTTP string }

// ready waits for the line in which gitd says where it listens.
func (g *gitd) ready(ctx context.Context) error {
	return g.logged(ctx, "ready", 1, func(l line) { g.ssh, g.http = l.SSH, l.HTTP })
}

// spareReady waits until the spare machine for the deployment number n is up.
func (g *gitd) spareReady(ctx context.Context, n int) error {
	return g.logged(ctx, "a spare machine is ready", n, func(line) {})
}

// logged waits until gitd has logged a message so many times, and gives the last of them to use.
func (g *gitd) logged(ctx context.Context, message string, times int, use func(line)) error {
	for late := time.After(answerLimit); ; {
		seen, err := g.count(message, use)
		if err != nil || seen >= times {
			return err
		}
		select {
		case <-time.After(askPause):
		case <-g.process.exited:
			return fmt.Errorf("gitd ended: %s has what it said", g.process.log)
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("gitd does not log %q: %s has what it said", message, g.process.log)
		}
	}
}

func (g *gitd) count(message string, use func(line)) (seen int, err error) {
	f, err := os.Open(g.process.log)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Message == message {
			seen++
			use(l)
		}
	}
	return seen, lines.Err()
}

func (g *gitd) addKey(ctx context.Context) error {
	cmd := g.b.prepared(ctx, "", "gitd", "--state", g.state, "keys:add", "ada", "--admin")
	key, err := os.Open(filepath.Join(g.b.run, "id.pub"))
	if err != nil {
		return err
	}
	defer key.Close()
	cmd.Stdin = key
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("keys:add: %w: %s", err, out)
	}
	return nil
}

// command is `gitd` on the host.
func (g *gitd) command(ctx context.Context, args ...string) (string, error) {
	return g.b.output(ctx, "", append([]string{"gitd", "--state", g.state}, args...)...)
}

// remote is what git pushes to.
func (g *gitd) remote(app string) string { return "ssh://nodeos@" + g.ssh + "/" + app }

// target is where an app answers.
func (g *gitd) target(app string) target { return target{addr: g.http, host: app + ".localhost"} }

// next is the target of the next deployment.
func (g *gitd) next(app string) target {
	const live = "release is live"
	t := g.target(app)
	before, err := g.count(live, func(line) {})
	t.switched = func(ctx context.Context) error {
		if err != nil {
			return err
		}
		return g.logged(ctx, live, before+1, func(line) {})
	}
	return t
}

// steps are how long each phase of the newest deployment took, in seconds.
func (g *gitd) steps(ctx context.Context, app string) ([]core.Step, error) {
	text, err := g.command(ctx, "releases", app, "--json")
	if err != nil {
		return nil, err
	}
	var all []struct{ Steps []core.Step }
	if err := json.Unmarshal([]byte(text), &all); err != nil || len(all) == 0 {
		return nil, fmt.Errorf("releases of %s: %w: %s", app, err, text)
	}
	return all[0].Steps, nil
}

// cpu is the processor time of the daemon itself, in seconds.
func (g *gitd) cpu() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+2:]))
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	const ticks = 100 // a second, on each platform of ours
	return float64(user+system) / ticks, errors.Join(err, err2)
}
