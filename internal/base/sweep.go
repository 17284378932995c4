package base

import (
	"errors"
	"os"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/image"
)

// youngest is how long a base stays although no image needs it: base:build may have made it for a push to come.
const youngest = 24 * time.Hour

// Sweep removes the bases that w does not keep and returns the bytes that this freed. It leaves the newest one of the
// newest Node, which the next app will want. What cannot be removed does not stop it; the errors are returned together.
func (s *Store) Sweep(w *image.Sweep) (freed int64, err error) {
	all := s.made()
	best := newest(all)
	var errs []error
	for _, m := range all {
		if w.Kept(m.id) || m.id == best || time.Since(m.at) <= youngest {
			continue
		}
		n, err := w.DropFolder(s.cfg.State, m.id, s.cfg.State.Base(m.id))
		freed += n
		errs = append(errs, err)
	}
	return freed, errors.Join(errs...)
}

// NodeVersions are the versions of Node that bases have.
func (s *Store) NodeVersions() map[string]bool {
	versions := map[string]bool{}
	for _, m := range s.made() {
		if m.node != nil {
			versions[m.node.String()] = true
		}
	}
	return versions
}

// made is what a sweep looks at in a base.
type made struct {
	id   string
	node *semver.Version // nil: it cannot be read
	at   time.Time
}

// made lists the bases, those without a readable list included.
func (s *Store) made() []made {
	entries, err := os.ReadDir(s.cfg.State.Bases())
	if err != nil {
		return nil
	}
	var all []made
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !isID(e.Name()) {
			continue
		}
		m := made{id: e.Name(), at: info.ModTime()}
		if c, err := Read(s.cfg.State, m.id); err == nil {
			m.node, _ = semver.NewVersion(c.Node)
		}
		all = append(all, m)
	}
	return all
}

func newest(all []made) (id string) {
	var best made
	for _, m := range all {
		switch {
		case m.node == nil:
		case best.node == nil, m.node.GreaterThan(best.node), m.node.Equal(best.node) && m.at.After(best.at):
			best = m
		}
	}
	return best.id
}
