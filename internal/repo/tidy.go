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
	// youngObjects is the age below which objects are never pruned. The objects of a push are on no branch until the
	// deployment has ended, and no deployment takes that long.
	youngObjects = "1.day.ago"
)

// gates has one gate for each app whose repository was used.
type gates struct {
	sweep func(app string) error
	mu    sync.Mutex
	apps  map[string]*gate
}

// gate keeps pushes and the tidying of one repository apart. Pushes go first, and are counted: the last one to end
// calls sweep.
type gate struct {
	sweep  func() error // called while mu is held, so that the next push waits
	mu     sync.Mutex
	pushes int
	idle   chan struct{} // closed when the last push ends; nil: none runs
	cancel func()        // ends the tidying that runs; nil: none runs
	tidied chan struct{} // closed when that tidying has ended
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

// push ends the tidying that runs, if there is one, and no other begins until done is called.
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

// tidy waits until no push runs. The context that it returns ends when a push comes, and this push waits until done is
// called.
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

// Tidy implements image.Repos with git's own gc. It can be killed at any moment without harm, and does nothing unless
// there is enough to do. The commits that are kept beside the branches get refs of their own.
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
		err = r.run(tidying, dir, everything, "-c", "gc.auto=256", "-c", "gc.autoPackLimit=50", "-c", "gc.autoDetach=false",
			"-c", "gc.pruneExpire="+youngObjects, "-c", "gc.reflogExpireUnreachable=now", "-c", "gc.worktreePruneExpire=never",
			"-c", "pack.threads=1", "-c", "pack.windowMemory=64m", "gc", "--auto", "--quiet")
	}
	if errors.Is(tidying.Err(), context.Canceled) && ctx.Err() == nil {
		return nil // a push has come; another tidying follows it
	}
	return err
}

// keep makes a ref for each of commits that exists, and removes the refs of others. Releases may have the same commit;
// git takes one change of each ref.
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
	for _, c := range slices.Compact(slices.Sorted(slices.Values(commits))) {
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
	_, err = r.feed(ctx, change.String(), task{dir: dir, may: movesRefs, args: []string{"update-ref", "--stdin"}})
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
