package repo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
)

const (
	keptRefs = "refs/gitd/kept/" // hidden from clients; see settings
	tidyTime = 10 * time.Minute  // for one run of git gc
	// youngObjects are never pruned: git leaves what a push brought without a
	// branch until the deployment has ended, and none takes that long.
	youngObjects = "1.day.ago"
)

// gates has one gate for each app that somebody has used.
type gates struct {
	sweep func(app string) error
	mu    sync.Mutex
	apps  map[string]*gate
}

// gate keeps pushes and tidying of one repository apart. Pushes have the
// right of way, and are counted: the last one to end sweeps up.
type gate struct {
	sweep  func() error // keeps the next push waiting
	mu     sync.Mutex
	pushes int
	idle   chan struct{} // closed when the last push ends; nil: none runs
	cancel func()        // ends the tidying that runs; nil: none does
	tidied chan struct{} // closed when it has ended
}

func (g *gates) of(app string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.apps == nil {
		g.apps = map[string]*gate{}
	}
	if g.apps[app] == nil {
		g.apps[app] = &gate{sweep: func() error { return g.sweep(app) }}
	}
	return g.apps[app]
}

// push ends the tidying, if there is one, and keeps others away until done.
func (g *gate) push() (done func() error) {
	g.mu.Lock()
	if g.pushes++; g.pushes == 1 {
		g.idle = make(chan struct{})
	}
	cancel, tidied := g.cancel, g.tidied
	g.mu.Unlock()
	if cancel != nil {
		cancel()
		<-tidied
	}
	return func() error {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.pushes--; g.pushes > 0 {
			return nil
		}
		close(g.idle)
		g.idle = nil
		return g.sweep()
	}
}

// tidy waits until no push runs. The context it returns ends with the next
// push, which waits for done.
func (g *gate) tidy(ctx context.Context) (tidying context.Context, done func(), err error) {
	g.mu.Lock()
	for g.pushes > 0 {
		idle := g.idle
		g.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		g.mu.Lock()
	}
	defer g.mu.Unlock()
	if g.cancel != nil {
		return nil, nil, errors.New("the repository is being tidied already")
	}
	tidying, cancel := context.WithTimeout(ctx, tidyTime)
	g.cancel, g.tidied = cancel, make(chan struct{})
	return tidying, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		cancel()
		close(g.tidied)
		g.cancel = nil
	}, nil
}

// Tidy implements deploy.Repos. It is git's own gc, which is safe against its
// end at any moment and does nothing unless there is enough to do. What it
// keeps beside the branches has refs of its own.
func (r *Repos) Tidy(ctx context.Context, app string, commits []string) error {
	dir := r.state.Repo(app)
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	tidying, done, err := r.gates.of(app).tidy(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err = r.keep(tidying, dir, commits); err == nil {
		err = r.run(tidying, dir, "-c", "gc.auto=256", "-c", "gc.autoPackLimit=16", "-c", "gc.autoDetach=false",
			"-c", "gc.pruneExpire="+youngObjects, "-c", "gc.reflogExpireUnreachable=now", "-c", "gc.worktreePruneExpire=never",
			"-c", "pack.threads=1", "-c", "pack.windowMemory=64m", "gc", "--auto", "--quiet")
	}
	if errors.Is(tidying.Err(), context.Canceled) && ctx.Err() == nil {
		return nil // a push has come; there is a tidying after it
	}
	return err
}

// keep points one ref at each of commits that is there, and removes the refs
// of others.
func (r *Repos) keep(ctx context.Context, dir string, commits []string) error {
	g, err := git.PlainOpen(dir)
	if err != nil {
		return err
	}
	have, err := keptCommits(g)
	if err != nil {
		return err
	}
	var change strings.Builder
	for _, c := range commits {
		if _, err := g.CommitObject(plumbing.NewHash(c)); err != nil || have[c] {
			delete(have, c)
			continue
		}
		fmt.Fprintf(&change, "update %s%s %s\n", keptRefs, c, c)
	}
	for c := range have {
		if !slices.Contains(commits, c) {
			fmt.Fprintf(&change, "delete %s%s\n", keptRefs, c)
		}
	}
	if change.Len() == 0 {
		return nil
	}
	_, err = r.feed(ctx, dir, change.String(), "update-ref", "--stdin")
	return err
}

func keptCommits(g *git.Repository) (map[string]bool, error) {
	refs, err := g.References()
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	err = refs.ForEach(func(ref *plumbing.Reference) error {
		if c, ok := strings.CutPrefix(ref.Name().String(), keptRefs); ok {
			have[c] = true
		}
		return nil
	})
	return have, err
}
