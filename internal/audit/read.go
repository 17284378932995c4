package audit

import (
	"context"
	"iter"

	"github.com/nodeos-dev/gitd/internal/core"
)

// page is how many entries of the trail are in memory at once for each reader.
const page = 256

// Source is where the trail is read.
type Source interface {
	EntriesOf(ctx context.Context, r core.EntryRange) ([]core.Entry, error)
	// NextChange is closed after the next change.
	NextChange() <-chan struct{}
}

// Read yields the entries of r. After an error there are no more.
func Read(ctx context.Context, from Source, r core.EntryRange) iter.Seq2[core.Entry, error] {
	return func(yield func(core.Entry, error) bool) {
		for left := r.Limit; ; left -= r.Limit {
			r.Limit = page
			if left > 0 {
				r.Limit = min(page, left)
			}
			list, err := from.EntriesOf(ctx, r)
			if err != nil {
				yield(core.Entry{}, err)
				return
			}
			for _, e := range list {
				if !yield(e, nil) {
					return
				}
				r.After, r.Before = after(e, r)
			}
			if len(list) < r.Limit || left == r.Limit {
				return
			}
		}
	}
}

// after are the bounds of what comes after e in r.
func after(e core.Entry, r core.EntryRange) (after, before int64) {
	if r.Newest {
		return r.After, e.ID
	}
	return e.ID, r.Before
}

// Follow yields the entries of r in the order of their recording, and then each new one, until ctx ends or still
// returns an error. What waits for a slow reader waits in the ledger: none is lost, and none takes memory.
func Follow(ctx context.Context, from Source, r core.EntryRange, still func() error) iter.Seq2[core.Entry, error] {
	return func(yield func(core.Entry, error) bool) {
		r.Newest, r.Before, r.Limit = false, 0, 0
		for ctx.Err() == nil {
			next := from.NextChange()
			err := still()
			if err == nil {
				r.Before, err = end(ctx, from)
			}
			if err != nil {
				yield(core.Entry{}, err)
				return
			}
			for e, err := range Read(ctx, from, r) {
				if !yield(e, err) || err != nil {
					return
				}
			}
			// What others did is not looked at again.
			r.After = max(r.After, r.Before-1)
			select {
			case <-next:
			case <-ctx.Done():
			}
		}
	}
}

// end is the id after that of the newest entry.
func end(ctx context.Context, from Source) (int64, error) {
	id, err := Newest(ctx, from)
	return id + 1, err
}

// Newest is the id of the newest entry; 0: there is none.
func Newest(ctx context.Context, from Source) (int64, error) {
	list, err := from.EntriesOf(ctx, core.EntryRange{Newest: true, Limit: 1})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].ID, nil
}
