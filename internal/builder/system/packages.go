package system

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/builder/debian"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
	"github.com/nodeos-dev/gitd/internal/units"
)

// additions are what a machine has of Debian beside the base.
type additions struct {
	Layer     core.Layer     `json:"layer"`
	Packages  []core.Package `json:"packages"`
	Debs      []debian.Deb   `json:"debs"`      // what is to be fetched for it
	Libraries []string       `json:"libraries"` // their names
}

// additionsFormat is part of every key of additions: raise it when another layer is made of the same packages.
const additionsFormat = 2

// errTimeout is the cause of a context that ran out of time.
var errTimeout = errors.New("out of time")

// Add makes or finds the layer of the Debian packages that the app asks for.
func (s *System) Add(ctx context.Context) error {
	if len(s.Asked) == 0 {
		return nil
	}
	defer s.Report.Lap("packages")
	s.Report.Step("Adding packages of Debian")
	limited, cancel := context.WithTimeoutCause(ctx, s.Limit, errTimeout)
	defer cancel()
	err := s.add(limited)
	if errors.Is(context.Cause(limited), errTimeout) {
		return &core.Rejection{
			Reason: "the Debian packages took longer than " + units.Took(s.Limit),
			Hint:   "push again: what apt has asked for is kept; the time limit is the server's", Err: err,
		}
	}
	return err
}

// add gives a commit that was built before the versions that it had: what the archive has changes with each security
// update. If they have left the archive, and their layer is gone, the commit gets those of today.
func (s *System) add(ctx context.Context) error {
	parts, err := s.glibcParts(ctx)
	if err != nil {
		return err
	}
	kept, known := s.read(s.commitKey(parts))
	if known && s.ready(kept) {
		s.has = kept
		s.sayPackages("the versions that this commit got before")
		return nil
	}
	if known {
		if err := s.take(ctx, kept.Debs, parts); err == nil || ctx.Err() != nil {
			return err
		}
		s.Report.Warn("the versions of Debian's packages that this commit got before cannot be fetched any more; it gets those of today")
	}
	debs, err := s.archive().Resolve(ctx, s.Asked, s.Report)
	if err != nil {
		return err
	}
	return s.take(ctx, debs, parts)
}

// commitKey names what the commit gets. It fits to one version of the host's glibc.
func (s *System) commitKey(parts glibcParts) string {
	return key("commit", s.Commit, strings.Join(s.Asked, " "), parts.of.Version)
}

// take makes or finds the layer of debs, and remembers it for the commit.
func (s *System) take(ctx context.Context, debs []debian.Deb, parts glibcParts) error {
	all := []core.Package{parts.of}
	for _, d := range debs {
		all = append(all, d.Package)
	}
	slices.SortFunc(all, func(a, b core.Package) int { return strings.Compare(a.Name, b.Name) })
	list, err := json.Marshal(all)
	if err != nil {
		return err
	}
	exact := key("exact", string(list))
	said := "cached"
	if kept, ok := s.read(exact); ok && s.ready(kept) {
		s.has = kept
	} else {
		made := additions{Packages: all, Debs: debs}
		if err := s.make(ctx, &made, parts); err != nil {
			return err
		}
		s.has, said = made, ""
	}
	s.sayPackages(said)
	return errors.Join(s.keep(exact, s.has), s.keep(s.commitKey(parts), s.has))
}

// mostSaid is how many packages a push names.
const mostSaid = 8

func (s *System) sayPackages(how string) {
	var names []string
	for _, p := range s.has.Packages {
		names = append(names, p.Name+" "+p.Version)
	}
	if more := len(names) - mostSaid; more > 0 {
		names = append(names[:mostSaid], fmt.Sprintf("%d more", more))
	}
	if how != "" {
		how = " (" + how + ")"
	}
	s.Report.Detail("%s: %s%s", units.Bytes(s.has.Layer.Size), strings.Join(names, ", "), how)
}

// make fetches, unpacks and packs.
func (s *System) make(ctx context.Context, a *additions, parts glibcParts) error {
	from, to := filepath.Join(s.Scratch, "debs"), filepath.Join(s.Scratch, "debian")
	defer disk.RemoveAll(from) //nolint:errcheck // they go with the build's folder
	defer disk.RemoveAll(to)   //nolint:errcheck // as above
	if err := errors.Join(os.Mkdir(from, 0o700), s.Own(from), os.Mkdir(to, 0o700)); err != nil {
		return err
	}
	if len(a.Debs) > 0 {
		if err := s.archive().Fetch(ctx, a.Debs, from, s.Report); err != nil {
			return err
		}
	}
	folder, err := debian.OpenUnpacked(to)
	if err != nil {
		return err
	}
	defer folder.Close()
	for _, d := range a.Debs {
		if err := s.unpack(ctx, filepath.Join(from, d.File), folder); err != nil {
			return fmt.Errorf("unpack %s %s: %w", d.Name, d.Version, err)
		}
		if err := os.Remove(filepath.Join(from, d.File)); err != nil {
			return err
		}
	}
	if err := errors.Join(folder.AddApplets(shell.Applets()), parts.copyTo(to)); err != nil {
		return err
	}
	if a.Libraries, err = debian.Libraries(to); err != nil {
		return err
	}
	a.Layer, err = s.Layers.StoreSystem(ctx, to, s.Hold)
	return err
}
