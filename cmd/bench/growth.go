package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// growth: what is done often on a host with a thousand apps of ten releases each, beside the same with ten apps.
func (b *bench) growth(ctx context.Context) error {
	few, many := 10, 1000
	if b.smoke {
		few, many = 1, 10
	}
	small, err := b.serve(ctx, "few", func(state string) error { return filled(ctx, state, few) })
	if err != nil {
		return err
	}
	large, err := b.serve(ctx, "many", func(state string) error { return filled(ctx, state, many) })
	if err != nil {
		return err
	}
	c, err := b.starter(ctx, "hello", "pushed")
	if err != nil {
		return err
	}
	if !b.smoke {
		if err := firstPushes(ctx, c, large, small); err != nil {
			return err
		}
	}
	other := fmt.Sprintf("the same with %d apps, not %d", few, many)
	for range b.rounds {
		for _, m := range []struct {
			what, unit string
			of         func(context.Context, *gitd) (float64, error)
		}{
			{"`gitd apps`", "s", apps}, {"a scrape of /metrics", "s", scrape},
		} {
			ours, err := m.of(ctx, large)
			if err != nil {
				return err
			}
			theirs, err := m.of(ctx, small)
			if err != nil {
				return err
			}
			b.table.compare(m.what, m.unit, other, ours, theirs)
		}
		if b.smoke { // the part push has shown that pushes work
			continue
		}
		said, err := c.change(ctx)
		if err != nil {
			return err
		}
		var cpu [2]float64
		for i, g := range []*gitd{large, small} {
			if cpu[i], err = pushCPU(ctx, g, c, said); err != nil {
				return err
			}
		}
		b.table.compare("a push of hello: gitd's own processor time", "s", other, cpu[0], cpu[1])
	}
	return nil
}

// firstPushes make the app, and the base if there is none; nothing is measured of them.
func firstPushes(ctx context.Context, c *clone, to ...*gitd) error {
	said, err := c.change(ctx)
	for _, g := range to {
		if err == nil {
			_, err = pushCPU(ctx, g, c, said)
		}
	}
	return err
}

// filled makes a ledger with apps that are stopped, each with ten releases of which one is live.
func filled(ctx context.Context, state string, apps int) (err error) {
	l, err := ledger.Open(ctx, core.StateDir(state).Ledger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close(), ownedAlike(state)) }()
	for i := range apps {
		if err := oneApp(ctx, l, fmt.Sprintf("app-%d", i)); err != nil {
			return err
		}
	}
	return nil
}

func oneApp(ctx context.Context, l *ledger.Ledger, name string) error {
	if _, err := l.CreateApp(ctx, name); err != nil {
		return err
	}
	for i := range 10 {
		r, err := l.AddRelease(ctx, core.Release{
			App: name, Commit: fmt.Sprintf("%040x", i+1), Subject: "a change", Pusher: "ada", Trigger: core.ByPush, State: core.Building, Created: time.Now(),
		})
		if err != nil {
			return err
		}
		digest := fmt.Sprintf("%064x", i+1)
		r.Manifest = core.Manifest{Base: "0123456789abcdef", Node: "22.23.3", App: core.Layer{Digest: digest, Size: 4096}}
		for _, s := range []core.State{core.Built, core.Booting, core.Healthy} {
			r.State = s
			if err := l.SaveRelease(ctx, r); err != nil {
				return err
			}
		}
		r.Finished = time.Now()
		if err := l.Promote(ctx, r); err != nil {
			return err
		}
		if i > 0 { // what is replaced has drained
			r.Version--
			r.State = core.Retired
			if err := l.SaveRelease(ctx, r); err != nil {
				return err
			}
		}
	}
	return l.ChangeApp(ctx, name, func(a *core.App) error { a.Stopped = true; return nil })
}

// ownedAlike gives the new files to whom the state folder belongs: gitd of root becomes that user.
func ownedAlike(state string) error {
	var owner syscall.Stat_t
	if err := syscall.Stat(state, &owner); err != nil {
		return err
	}
	return filepath.WalkDir(state, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, int(owner.Uid), int(owner.Gid)))
	})
}

func apps(ctx context.Context, g *gitd) (float64, error) {
	begun := time.Now()
	text, err := g.command(ctx, "apps")
	if err == nil && !strings.Contains(text, "app-0") {
		err = fmt.Errorf("apps does not list app-0: %s", text)
	}
	return time.Since(begun).Seconds(), err
}

func scrape(ctx context.Context, g *gitd) (float64, error) {
	begun := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n < 1000) {
		err = fmt.Errorf("%s, %d bytes", res.Status, n)
	}
	return time.Since(begun).Seconds(), err
}

// pushCPU is what a push costs gitd itself: not git, not builds, not the machine. A busy host does not change it much.
func pushCPU(ctx context.Context, g *gitd, c *clone, said string) (float64, error) {
	before, err := g.cpu()
	if err != nil {
		return 0, err
	}
	if _, err := c.push(ctx, g.remote("pushed"), g.next("pushed"), said); err != nil {
		return 0, err
	}
	after, err := g.cpu()
	return after - before, err
}
