package ledgertest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// endedContext: who has left gets no change made in their name.
func endedContext(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.CreateApp(ctx, "shop"); !errors.Is(err, context.Canceled) {
		t.Errorf("CreateApp: %v, want context.Canceled", err)
	}
	if list := got(s.Apps(t.Context()))(t); len(list) != 0 {
		t.Errorf("an ended context made %+v", list)
	}
}

func concurrentVersions(t *testing.T, s Store) {
	const writers, each = 4, 5
	got(s.CreateApp(t.Context(), "shop"))(t)
	versions := make(chan int, writers*each)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				r, err := s.AddRelease(t.Context(), Draft("shop", Commit("a")))
				if err != nil {
					t.Error(err)
				}
				versions <- r.Version
			}
		})
	}
	all.Wait()
	close(versions)
	seen := map[int]bool{}
	for v := range versions {
		if v < 1 || v > writers*each || seen[v] {
			t.Errorf("version %d was given twice or is out of order", v)
		}
		seen[v] = true
	}
}

// concurrentPromotions: at no moment does a reader see two live releases, or
// none, or an app that disagrees with its releases.
func concurrentPromotions(t *testing.T, s Store) {
	live(t, s, "shop", Commit("a"))
	done := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() { watchLive(t, s, done) })
	}
	for range 2 {
		writers.Go(func() {
			for range 10 {
				promoteNext(t, s)
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

func promoteNext(t *testing.T, s Store) {
	r, err := s.AddRelease(t.Context(), Draft("shop", Commit("b")))
	if err != nil {
		t.Error(err)
		return
	}
	for _, next := range []core.State{core.Built, core.Booting, core.Healthy} {
		r.State = next
		if err := s.SaveRelease(t.Context(), r); err != nil {
			t.Error(err)
			return
		}
	}
	r.Finished = time.Now()
	if err := s.Promote(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func watchLive(t *testing.T, s Store, done <-chan struct{}) {
	for {
		list, err := s.Releases(t.Context(), "shop", 0)
		if err != nil {
			t.Error(err)
			return
		}
		n := 0
		for _, r := range list {
			if r.State == core.Live {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d live releases", n)
			return
		}
		select {
		case <-done:
			return
		default:
		}
	}
}
