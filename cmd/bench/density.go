package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// density: how many apps a host holds. One gitd has more apps than the host has memory for; all but a few sleep. What
// each takes is measured while many run, and then visitors come to any of them, at random.
func density(b *bench, ctx context.Context) error {
	size := crowdOf(b)
	g, err := b.serve(ctx, "dense", empty, "--keep-warm", "0")
	if err != nil {
		return err
	}
	for _, from := range size.kinds {
		if err := firstOf(ctx, b, g, from); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	if _, err := g.command(ctx, "halt"); err != nil {
		return err
	}
	<-g.process.exited
	fill := func(state string) error { return size.register(ctx, state) }
	if g, err = b.serveAgain(ctx, "dense", fill, "--keep-warm", "0", "--sleep-after", "1h",
		"--max-memory", fmt.Sprintf("%dM", size.awake*machineMiB)); err != nil {
		return err
	}
	for _, from := range size.kinds {
		if err := size.weigh(ctx, b, g, from); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	return size.visit(ctx, b, g)
}

// machineMiB is what a machine of an app that asks for nothing has.
const machineMiB = 128

// crowd is how large all of it is.
type crowd struct {
	kinds []string // starters
	apps  int      // that are registered
	woken int      // of these, that are ever asked: each that sleeps has a file of some 50 MB
	awake int      // for how many there is memory
}

func crowdOf(b *bench) crowd {
	if b.smoke {
		return crowd{[]string{"hello"}, 10, 2, 2}
	}
	return crowd{[]string{"hello", "express"}, b.apps, b.woken, 20}
}

// firstOf pushes the app that all others of a kind have their image from.
func firstOf(ctx context.Context, b *bench, g *gitd, from string) error {
	c, err := b.starter(ctx, from, "first-"+from)
	if err != nil {
		return err
	}
	said, err := c.change(ctx)
	if err != nil {
		return err
	}
	_, err = c.push(ctx, g.remote(c.app), g.next(c.app), said)
	return err
}

// member is the name of an app of the crowd.
func member(from string, n int) string { return fmt.Sprintf("%s-%d", from, n) }

// register makes the apps of the crowd in a ledger, as if each had been pushed and had fallen asleep. What they slept
// as is not there: each boots when it is asked for the first time. A thousand pushes would leave the same, but for
// that.
func (c crowd) register(ctx context.Context, state string) (err error) {
	l, err := ledger.Open(ctx, core.StateDir(state).Ledger())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close(), ownedAlike(state)) }()
	for _, from := range c.kinds {
		first, err := l.Release(ctx, "first-"+from, 1)
		if err != nil {
			return err
		}
		for i := range c.apps / len(c.kinds) {
			if err := asleep(ctx, l, member(from, i), first); err != nil {
				return err
			}
		}
		if err := l.ChangeApp(ctx, first.App, func(a *core.App) error { a.Stopped = true; return nil }); err != nil {
			return err
		}
	}
	return nil
}

// asleep makes an app with the image of another one.
func asleep(ctx context.Context, l *ledger.Ledger, name string, as core.Release) error {
	if _, err := l.CreateApp(ctx, name); err != nil {
		return err
	}
	as.App, as.Version, as.State = name, 0, core.Building
	r, err := l.AddRelease(ctx, as)
	if err != nil {
		return err
	}
	r.Manifest = as.Manifest
	for _, s := range []core.State{core.Built, core.Booting, core.Healthy} {
		r.State = s
		if err := l.SaveRelease(ctx, r); err != nil {
			return err
		}
	}
	if err := l.Promote(ctx, r); err != nil {
		return err
	}
	return l.SetBed(ctx, name, &core.Bed{Machine: name + "-v1-00000000", Release: r.Version, Key: []byte("none")})
}

// weigh has as many apps of a kind awake as there is memory for, and shares out what they take.
func (c crowd) weigh(ctx context.Context, b *bench, g *gitd, from string) error {
	alone, _, err := g.memory()
	if err != nil {
		return err
	}
	n := min(c.awake/len(c.kinds), c.woken/len(c.kinds))
	for i := range n {
		if err := g.target(member(from, i)).await(ctx, "Hello"); err != nil {
			return err
		}
	}
	machines, daemon, err := g.memory()
	if err != nil {
		return err
	}
	each := (machines - alone) / float64(n)
	b.table.note(fmt.Sprintf("%s: memory of an app that is awake, of %d that are (PSS)", from, n), "MiB", each)
	b.table.note(fmt.Sprintf("gitd itself, with %d apps (PSS)", c.apps), "MiB", daemon)
	before, err := g.slept()
	if err != nil {
		return err
	}
	size, err := g.sleep(ctx, member(from, 0))
	if err != nil {
		return err
	}
	b.table.note(from+": on the disk, of an app that sleeps", "MB", float64(size-before)/1e6)
	free, err := memTotal()
	if err != nil {
		return err
	}
	b.table.note(from+": apps that this host holds awake, by that", "", (free-daemon-reserveMiB)/each)
	return nil
}

// reserveMiB is for the rest of the host.
const reserveMiB = 1024

// memTotal is the memory of this host, in MiB.
func memTotal() (mib float64, err error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err == nil {
		_, err = fmt.Sscanf(string(text), "MemTotal: %f kB", &mib)
	}
	return mib / 1024, err
}

// memory is what all machines of g take, with all that is around them, and what g takes itself, in MiB.
func (g *gitd) memory() (machines, daemon float64, err error) {
	if daemon, err = pss(g.process.Process.Pid); err != nil {
		return 0, 0, err
	}
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, 0, err
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(text), g.state+"/libvirt/") {
			continue // it has ended, or is something else
		}
		var pid int
		if _, err := fmt.Sscanf(name, "/proc/%d/cmdline", &pid); err != nil {
			return 0, 0, err
		}
		one, err := pss(pid)
		if err == nil {
			machines += one
		}
	}
	return machines, daemon, nil
}
