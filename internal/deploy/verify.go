package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Contents names the files of images.
type Contents interface {
	// Explain says in a line for each file how is differs from was, and why, as far as that can be seen. It returns at
	// most as many lines as there are for a person to read, and how many files differ.
	Explain(ctx context.Context, was, is core.Manifest) (lines []string, files int, err error)
}

// verification is one comparison of a release with what its commit builds.
type verification struct {
	*Deployer
	release core.Release
	by      core.Actor
	report  *progress.Report
	files   *image.Hold
}

// Verify builds the commit of a release again, from nothing that is kept, and compares the layers with those of the
// release. A difference is a *core.Rejection. Nothing is deployed, and the app's own deployments go on beside it. It
// ends with ctx: nobody but the caller waits for the answer.
func (d *Deployer) Verify(ctx context.Context, by core.Actor, app string, version int, w io.Writer) error {
	done, err := d.cfg.Work.Begin()
	if err != nil {
		return errStopping
	}
	defer done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.cfg.Work.Context(), func() { cancel(errStopping) })()
	out := progress.NewPatient(w)
	defer out.End()
	v := &verification{Deployer: d, by: by, report: progress.NewReport(out), files: d.cfg.Shelf.Hold()}
	defer d.cfg.Collector.Soon("") // it removes the layers that no release has
	defer v.files.Release()
	err = v.run(ctx, app, version)
	return disk.Rejected(because(ctx, err, errStopping))
}

func (v *verification) run(ctx context.Context, app string, version int) (err error) {
	if v.release, err = v.cfg.Ledger.Release(ctx, app, version); errors.Is(err, core.ErrNotFound) {
		return core.Reject(fmt.Sprintf("%s has no release v%d", app, version), seeReleases(app))
	}
	if err != nil {
		return err
	}
	if v.release.Manifest.Empty() {
		return core.Reject(fmt.Sprintf("v%d has no image: it was not built to its end", version), seeReleases(app))
	}
	v.files.Take(v.release.Manifest.Files()...)
	made, err := v.build(ctx)
	if err != nil {
		return err
	}
	return v.compare(ctx, made)
}

// build takes one of the places for builds.
func (v *verification) build(ctx context.Context) (core.Manifest, error) {
	r := v.release
	place := &turn{app: r.App, by: v.by.Name, what: fmt.Sprintf("the verification of v%d of %s", r.Version, r.App)}
	ctx, place.cancel = context.WithCancelCause(ctx)
	defer place.cancel(nil)
	if err := v.builds.join(ctx, place, told(v.report, "Waiting: number %d in the queue for builds. Now: %s")); err != nil {
		return core.Manifest{}, err
	}
	defer v.builds.leave(place)
	v.report.Step("Building v%d (%.7s) again, from nothing that is kept", r.Version, r.Commit)
	app, err := v.cfg.Ledger.App(ctx, r.App)
	if err != nil {
		return core.Manifest{}, err
	}
	src, err := v.source(ctx, app, r.Commit, v.files)
	if err != nil {
		return core.Manifest{}, err
	}
	src.Dir = r.Manifest.Dir // and not what was set since
	src.Again = &r.Manifest
	return v.cfg.Builder.Build(ctx, src, v.report)
}

func (v *verification) compare(ctx context.Context, made core.Manifest) error {
	was := v.release.Manifest
	v.report.Step("Comparing")
	v.circumstances(was, made)
	equal := true
	for _, l := range []struct {
		name    string
		was, is core.Layer
	}{{"debian", was.Debian, made.Debian}, {"deps", was.Deps, made.Deps}, {"app", was.App, made.App}} {
		switch {
		case l.was != l.is:
			v.report.Detail("%s: sha256 %s, and now %s", l.name, orNone(l.was.Digest), orNone(l.is.Digest))
			equal = false
		case l.was.Digest != "":
			v.report.Detail("%s: equal, sha256 %s", l.name, l.was.Digest)
		}
	}
	if equal {
		v.note(ctx, "equal")
		v.report.Done("v%d is what its commit builds, byte for byte", v.release.Version)
		return nil
	}
	return v.differs(ctx, made)
}

func orNone(digest string) string {
	if digest == "" {
		return "none"
	}
	return digest
}

// circumstances says what is not of the commit and may have changed since.
func (v *verification) circumstances(was, made core.Manifest) {
	if was.Made.Tool == "" {
		v.report.Warn("v%d was built by an older gitd, which did not note the package manager and the config: today's count",
			v.release.Version)
		return
	}
	if was.Made.Tool != made.Made.Tool {
		v.report.Warn("v%d was built with %s, and now with %s", v.release.Version, was.Made.Tool, made.Made.Tool)
	}
	if was.Made.Config != made.Made.Config {
		v.report.Warn("the config that builds see is not the same as when v%d was built: today's counts", v.release.Version)
	}
}

// differs names the files.
func (v *verification) differs(ctx context.Context, made core.Manifest) error {
	r := v.release
	said := fmt.Sprintf("v%d is not what its commit builds now", r.Version)
	if gone := image.Check(v.cfg.State, r.Manifest); gone != nil {
		v.note(ctx, "differs")
		return &core.Rejection{Reason: said, Hint: "its image is no longer kept, so the files cannot be named", Err: gone}
	}
	lines, files, err := v.cfg.Contents.Explain(ctx, r.Manifest, made)
	if err != nil {
		return err
	}
	for _, l := range lines {
		v.report.Detail("%s", l)
	}
	if files > len(lines) {
		v.report.Detail("and %d more", files-len(lines))
	}
	if files == 0 {
		said += ": its files are the same, but they are packed otherwise, as by another version of erofs-utils"
	} else {
		said += fmt.Sprintf(": %d of its files differ", files)
	}
	v.note(ctx, strings.TrimPrefix(said, fmt.Sprintf("v%d ", r.Version)))
	return core.Reject(said, "")
}

func (v *verification) note(ctx context.Context, result string) {
	v.cfg.Trail.Note(context.WithoutCancel(ctx), v.release.App, v.by.Name, "release.verify",
		fmt.Sprintf("v%d: %s", v.release.Version, result))
}
