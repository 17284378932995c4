package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/nodeos-dev/gitd/templates"
)

// greeting is in the answers of the starter apps.
var greeting = []byte("Hello from")

// numbered takes its place.
const numbered = "Hello number %d from"

// clone is a person's repository of an app.
type clone struct {
	b    *bench
	app  string
	dir  string
	text []byte // server.js as it was
	n    int    // of changes
}

// starter makes a repository of app from a starter.
func (b *bench) starter(ctx context.Context, from, app string) (*clone, error) {
	files, err := fs.Sub(templates.FS, "apps/"+from)
	if err != nil {
		return nil, err
	}
	c := &clone{b: b, app: app, dir: filepath.Join(b.run, app)}
	if err := os.CopyFS(c.dir, files); err != nil {
		return nil, err
	}
	if c.text, err = os.ReadFile(filepath.Join(c.dir, "server.js")); err != nil {
		return nil, err
	}
	if !bytes.Contains(c.text, greeting) {
		return nil, fmt.Errorf("the starter %s does not say %q", from, greeting)
	}
	return c, errors.Join(b.command(ctx, c.dir, "git", "init", "-q", "-b", "main"), b.command(ctx, c.dir, "git", "add", "-A"))
}

// bundled is the name of an app that is express, with the files of its packages put together.
const bundled = "bundled"

func newBundled(ctx context.Context, b *bench) (*clone, error) {
	c, err := b.starter(ctx, "express", bundled)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(c.dir, "package.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return c, os.WriteFile(file, bytes.Replace(text, []byte("{"), []byte(`{"nodeos": {"bundle": true},`), 1), 0o644)
}

// change commits another greeting, and returns it.
func (c *clone) change(ctx context.Context) (string, error) {
	c.n++
	said := fmt.Sprintf(numbered, c.n)
	return said, c.say(ctx, said)
}

// say commits a server that says so.
func (c *clone) say(ctx context.Context, said string) error {
	err := os.WriteFile(filepath.Join(c.dir, "server.js"), bytes.Replace(c.text, greeting, []byte(said), 1), 0o644)
	return errors.Join(err, c.b.command(ctx, c.dir, "git", "commit", "-q", "-a", "-m", said))
}

// push pushes what is committed, and returns how many seconds later a visitor sees it.
func (c *clone) push(ctx context.Context, remote string, at target, said string) (float64, error) {
	return at.since(ctx, said, func() error { return c.b.command(ctx, c.dir, "git", "push", "-q", remote, "main") })
}

// pushes: only the code changes, from the start of git to the first answer of the new release.
func (b *bench) pushes(ctx context.Context) error {
	apps := []string{"hello", "express", bundled}
	if b.smoke {
		apps = apps[:1]
	}
	for _, app := range apps {
		if err := b.pushesOf(ctx, app); err != nil {
			return fmt.Errorf("%s: %w", app, err)
		}
	}
	return nil
}

// others are what a push is compared with.
type others struct {
	cold, spare *gitd
	plain       *plain
	floor       floor
	clone       *clone
}

func (b *bench) pushesOf(ctx context.Context, app string) (err error) {
	o := others{}
	if o.cold, err = b.server(ctx); err != nil {
		return err
	}
	if !b.smoke {
		if o.spare, err = b.withSpares(ctx); err != nil {
			return err
		}
	}
	if o.plain, err = b.other(ctx); err != nil {
		return err
	}
	if app == bundled {
		o.clone, err = newBundled(ctx, b)
	} else {
		o.clone, err = b.starter(ctx, app, app)
	}
	if err != nil {
		return err
	}
	b.clones[app] = o.clone
	if err := o.plain.add(ctx, app); err != nil {
		return err
	}
	// The first push makes the app and its dependencies; it is not measured.
	if _, err := o.push(ctx, b); err != nil {
		return err
	}
	line, err := o.cold.commandLine(app)
	if err != nil {
		return err
	}
	if o.floor, err = b.newFloor(line); err != nil {
		return err
	}
	if app == "hello" {
		b.floor = o.floor
	}
	for range b.rounds {
		if err := o.round(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// round measures each once.
func (o others) round(ctx context.Context, b *bench) error {
	bare, err := o.floor.boot(ctx, b)
	if err != nil {
		return fmt.Errorf("QEMU by itself: %w", err)
	}
	took, err := o.push(ctx, b)
	if err != nil {
		return err
	}
	const alone, plain = "QEMU by itself, the same image", "OpenSSH, a hook, `npm ci`, a process"
	t, app := &b.table, o.clone.app
	t.compare(app+": push → first 200", "s", alone, took.cold, bare.total)
	t.compare(app+": push → first 200", "s", plain, took.cold, took.plain)
	if o.spare != nil {
		t.compare(app+": push → first 200, by a spare machine", "s", alone, took.spare, bare.total)
		t.compare(app+": push → first 200, by a spare machine", "s", plain, took.spare, took.plain)
	}
	steps, err := o.cold.steps(ctx, app)
	if err != nil {
		return err
	}
	rest := took.cold
	for _, s := range steps {
		t.note(app+": of the push: "+s.Name, "s", s.Took.Seconds())
		rest -= s.Took.Seconds()
	}
	t.note(app+": of the push: git, ssh, and the switch of the traffic", "s", rest)
	for _, s := range bare.steps {
		t.note(app+": of QEMU by itself: "+s.Name, "s", s.Took.Seconds())
	}
	return nil
}

// took is how long a visitor waited for each, in seconds.
type took struct{ cold, spare, plain float64 }

func (o others) push(ctx context.Context, b *bench) (t took, err error) {
	said, err := o.clone.change(ctx)
	if err != nil {
		return t, err
	}
	app := o.clone.app
	if o.spare != nil {
		if t.spare, err = o.pushSpare(ctx, b, said); err != nil {
			return t, err
		}
	}
	if t.cold, err = o.clone.push(ctx, o.cold.remote(app), o.cold.next(app), said); err != nil {
		return t, fmt.Errorf("to gitd: %w", err)
	}
	if t.plain, err = o.clone.push(ctx, o.plain.remote(app), o.plain.target(app), said); err != nil {
		return t, fmt.Errorf("to OpenSSH: %w", err)
	}
	return t, nil
}

// pushSpare pushes to the gitd with a spare machine, and waits for the next one: its boot shall not be in the way of
// the others. The first push of all says which kind of machine is to be kept, and finds none.
func (o others) pushSpare(ctx context.Context, b *bench, said string) (float64, error) {
	seen, err := o.clone.push(ctx, o.spare.remote(o.clone.app), o.spare.next(o.clone.app), said)
	if err != nil {
		return 0, fmt.Errorf("to gitd with a spare machine: %w", err)
	}
	b.pushed++
	return seen, o.spare.spareReady(ctx, b.pushed)
}

// rollbacks: back to the release before, of which the machine was kept. The hook has none: it deploys the commit before
// again.
func (b *bench) rollbacks(ctx context.Context) error {
	const app = "hello"
	if b.plain == nil || b.floor.args == nil {
		return errors.New("it goes back to what the part push has pushed: name that too")
	}
	c := b.clones[app]
	now, before := fmt.Sprintf(numbered, c.n), fmt.Sprintf(numbered, c.n-1)
	for round := range b.rounds + 1 {
		bare, err := b.floor.boot(ctx, b)
		if err != nil {
			return fmt.Errorf("QEMU by itself: %w", err)
		}
		ours, err := b.rollback(ctx, app, before)
		if err != nil {
			return err
		}
		if err := c.say(ctx, before); err != nil {
			return err
		}
		theirs, err := c.push(ctx, b.plain.remote(app), b.plain.target(app), before)
		if err != nil {
			return err
		}
		now, before = before, now // the next one goes back again
		if round == 0 {
			continue // the machine of the push before may have been kept too long ago
		}
		const what = "hello: rollback to the machine that was kept → first 200"
		b.table.compare(what, "s", "QEMU by itself, the same image", ours, bare.total)
		b.table.compare(what, "s", "the same hook: `git revert` and a push", ours, theirs)
	}
	return nil
}

// rollback goes back to the release before, and waits until the machine that it has replaced is kept.
func (b *bench) rollback(ctx context.Context, app, before string) (took float64, err error) {
	const kept = "a machine that was replaced is kept"
	n, err := b.gitd.count(kept, func(line) {})
	if err != nil {
		return 0, err
	}
	took, err = b.gitd.next(app).since(ctx, before, func() error {
		_, err := b.gitd.command(ctx, "rollback", app)
		return err
	})
	if err != nil {
		return 0, err
	}
	return took, b.gitd.logged(ctx, kept, n+1, func(line) {})
}

// since does something, and returns how many seconds after its begin an answer has text in it.
func (t target) since(ctx context.Context, text string, do func() error) (took float64, err error) {
	begun := time.Now()
	visitor := make(chan error, 1)
	go func() {
		err := t.await(ctx, text)
		took = time.Since(begun).Seconds()
		visitor <- err
	}()
	err = do()
	return took, errors.Join(err, <-visitor)
}
