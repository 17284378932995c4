package label

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Store is a ledger that takes in what labels tell.
type Store interface {
	Ledger
	// Adopt takes in an app, and the releases of it that are newer than those that the ledger has. It reports whether
	// there was anything to take in.
	Adopt(ctx context.Context, l core.AppLabel) (bool, error)
	CreateApp(ctx context.Context, name string) (core.App, error)
	AddVolume(ctx context.Context, v core.Volume) error
	Record(ctx context.Context, e core.Entry) error
	// Entries are the newest first; an empty app means all.
	Entries(ctx context.Context, app string, limit int) ([]core.Entry, error)
}

// Missing says what the labels below state know and the ledger does not: that proves that the ledger has lost it. A
// ledger that knows nothing at all, not even an entry of the audit, misses whatever stands in the folders.
func Missing(ctx context.Context, state core.StateDir, s Store) (lost []string, err error) {
	apps, err := s.Apps(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := s.Entries(ctx, "", 1)
	if err != nil {
		return nil, err
	}
	if len(apps) == 0 && len(entries) == 0 {
		h, err := Look(state)
		if err == nil && h.Any() {
			lost = append(lost, h.String())
		}
		return lost, err
	}
	found, err := Read(state)
	if err != nil {
		return nil, err
	}
	known := map[string]core.App{}
	for _, a := range apps {
		known[a.Name] = a
		if a.FormerName != "" { // its repository may have the old name still
			known[a.FormerName] = a
		}
	}
	return missing(ctx, s, found, known)
}

func missing(ctx context.Context, s Store, found Found, known map[string]core.App) (lost []string, err error) {
	for _, l := range found.Apps {
		a, ok := known[l.App.Name]
		if !ok {
			if l.Newest() > 0 || len(known) == 0 && found.isBare(l) {
				lost = append(lost, "the app "+l.App.Name)
			}
			continue
		}
		newest, err := s.Releases(ctx, a.Name, 1)
		if err != nil {
			return nil, err
		}
		if len(newest) == 0 && l.Newest() > 0 || len(newest) > 0 && l.Newest() > newest[0].Version {
			lost = append(lost, fmt.Sprintf("v%d of %s", l.Newest(), a.Name))
		}
	}
	volumes, err := s.Volumes(ctx, "")
	for _, v := range found.Volumes {
		if !hasVolume(volumes, v.ID) {
			lost = append(lost, fmt.Sprintf("the volume %s of %s", v.Name, v.App))
		}
	}
	return lost, err
}

func hasVolume(volumes []core.Volume, id string) bool {
	for _, v := range volumes {
		if v.ID == id {
			return true
		}
	}
	return false
}

// Adopt has the ledger take in what the labels below state know and it does not, and tells of each step. What is in the
// ledger already stays. Each step is in the audit.
func Adopt(ctx context.Context, state core.StateDir, s Store, by core.Actor, tell func(line string)) error {
	found, err := Read(state)
	if err != nil {
		return err
	}
	note := func(app, action, detail string) error {
		tell(app + ": " + detail)
		return s.Record(ctx, core.Entry{Time: time.Now(), App: app, Actor: by.Name, Action: action, Detail: detail})
	}
	for _, l := range found.Apps {
		taken, err := s.Adopt(ctx, l)
		if err == nil && taken {
			err = note(l.App.Name, "app.adopt", describe(l))
		}
		if err != nil {
			return err
		}
	}
	if err := adoptVolumes(ctx, s, found, note); err != nil {
		return err
	}
	for _, path := range found.Loose {
		tell("left as it is, because no label says whose it is: " + path)
	}
	return nil
}

func adoptVolumes(ctx context.Context, s Store, found Found, note func(app, action, detail string) error) error {
	have, err := s.Volumes(ctx, "")
	if err != nil {
		return err
	}
	for _, v := range found.Volumes {
		if hasVolume(have, v.ID) {
			continue
		}
		_, err := s.CreateApp(ctx, v.App) // one that nothing was pushed to has no repository
		if err == nil {
			err = s.AddVolume(ctx, v)
		}
		if refused, ok := errors.AsType[*core.Rejection](err); ok { // another volume has its place: its file stays
			err = note(v.App, "volume.left", fmt.Sprintf("the volume %s in %s: %s", v.Name, v.ID, refused.Reason))
		} else if err == nil {
			err = note(v.App, "volume.adopt", fmt.Sprintf("the volume %s at %s", v.Name, v.Mount))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// describe says in one line what an app brings.
func describe(l core.AppLabel) string {
	if v := l.Live(); v > 0 {
		return fmt.Sprintf("v%d is live, %d release(s) with an image", v, len(l.Releases))
	}
	return "no release: a push makes the first"
}
