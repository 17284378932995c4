package audit

import (
	"context"
	"errors"
	"iter"
	"sync"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// book is a Source in memory.
type book struct {
	mu   sync.Mutex
	list []core.Entry
	next chan struct{}
	most int // entries of one answer
}

func newBook() *book { return &book{next: make(chan struct{})} }

func (b *book) add(app string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, core.Entry{ID: int64(len(b.list) + 1), App: app})
	close(b.next)
	b.next = make(chan struct{})
}

func (b *book) NextChange() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

func (b *book) EntriesOf(_ context.Context, r core.EntryRange) ([]core.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []core.Entry
	for i := range b.list {
		e := b.list[i]
		if r.Newest {
			e = b.list[len(b.list)-1-i]
		}
		if e.ID > r.After && (r.Before == 0 || e.ID < r.Before) && (r.Apps == nil || e.App == r.Apps[0]) && (r.Limit == 0 || len(list) < r.Limit) {
			list = append(list, e)
		}
	}
	b.most = max(b.most, len(list))
	return list, nil
}

func TestRead(t *testing.T) {
	b := newBook()
	for range 3 * page {
		b.add("shop")
	}
	for name, tt := range map[string]struct {
		of          core.EntryRange
		count       int
		first, last int64
	}{
		"all":        {core.EntryRange{}, 3 * page, 1, 3 * page},
		"newest":     {core.EntryRange{Newest: true}, 3 * page, 3 * page, 1},
		"some":       {core.EntryRange{Newest: true, Limit: page + 1}, page + 1, 3 * page, 2 * page},
		"whole page": {core.EntryRange{Limit: page}, page, 1, page},
		"one":        {core.EntryRange{Limit: 1}, 1, 1, 1},
	} {
		var ids []int64
		for e, err := range Read(t.Context(), b, tt.of) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, e.ID)
		}
		if len(ids) != tt.count || ids[0] != tt.first || ids[len(ids)-1] != tt.last {
			t.Errorf("%s: %d entries, %d to %d", name, len(ids), ids[0], ids[len(ids)-1])
		}
	}
	if b.most > page {
		t.Errorf("%d entries were in memory at once", b.most)
	}
}

// TestFollowLosesNothing: entries that are recorded while a reader takes the older ones come once and in order, and
// those of others do not come.
func TestFollowLosesNothing(t *testing.T) {
	const count = 2000
	b := newBook()
	b.add("shop")
	go func() {
		for range count {
			b.add("shop")
			b.add("blog")
		}
	}()
	next, stop := iter.Pull2(Follow(t.Context(), b, core.EntryRange{Apps: []string{"shop"}}, func() error { return nil }))
	defer stop()
	last := int64(0)
	for range count + 1 {
		e, err, _ := next()
		if err != nil || e.App != "shop" || e.ID <= last {
			t.Fatalf("after %d: %+v, %v", last, e, err)
		}
		last = e.ID
	}
	if last != 2*count {
		t.Errorf("the last one is %d", last)
	}
}

// TestFollowEndsWithTheRight: no entry that was recorded after a right was taken is shown.
func TestFollowEndsWithTheRight(t *testing.T) {
	b := newBook()
	b.add("shop")
	var taken error
	for e, err := range Follow(t.Context(), b, core.EntryRange{}, func() error { return taken }) {
		if err != nil {
			if !errors.Is(err, taken) || e.ID != 0 {
				t.Errorf("%+v, %v", e, err)
			}
			return
		}
		if taken != nil {
			t.Fatalf("shown: %+v", e)
		}
		taken = errors.New("taken")
		b.add("shop")
	}
	t.Error("it ended without a word")
}
