// Package rebase says which base an image would have if it was made now, and what bases could be made of.
//
// It owns that choice: the newest Node of the line on which an image is, as far as its repository takes it, and the
// cases in which an image must be built again. It does not own how bases are made (package base), which Node a
// repository takes (package nodeversion), nor when images move (package rollout).
package rebase

import (
	"context"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder"
	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Rebaser chooses bases. Its methods are safe for concurrent use.
type Rebaser struct {
	State   core.StateDir
	Builder *builder.Builder
	Bases   *base.Store
}

// Target makes or finds the base that the image of rel would have if it was made now. A *core.Rejection says why the
// image stays on the base that it has.
func (b Rebaser) Target(ctx context.Context, rel core.Release, w core.BaseWish, r *progress.Report) (core.BaseRef, error) {
	was := rel.Manifest.BaseRef()
	c, err := b.choose(ctx, rel, w, r)
	if err != nil {
		return was, err
	}
	if err := b.checkKernel(ctx, was.ID); err != nil {
		return was, err
	}
	node, err := b.Builder.Tools().Node(ctx, c.node, r)
	if err != nil {
		return was, err
	}
	id, err := b.Bases.Ensure(ctx, node, r)
	if err != nil {
		return was, err
	}
	to := core.BaseRef{ID: id, Node: node.Version}
	if to == was && c.held != nil {
		return was, c.held
	}
	return to, b.checkLibraries(rel, to)
}

// choice is a Node, and why it is not a newer one of its line; nil: there is none.
type choice struct {
	node registry.Version
	held *core.Rejection
}

func (b Rebaser) choose(ctx context.Context, rel core.Release, w core.BaseWish, r *progress.Report) (choice, error) {
	wish, err := b.Builder.NodeWish(rel)
	if err != nil {
		return choice{}, err
	}
	now, err := semver.StrictNewVersion(rel.Manifest.Node)
	if err != nil {
		return choice{}, fmt.Errorf("the Node of v%d: %w", rel.Version, err)
	}
	all, err := b.Builder.Tools().Nodes(ctx, r)
	if err != nil {
		return choice{}, err
	}
	q := question{all: all, wish: wish, now: now, pick: func(wish nodeapp.NodeWish, fits func(*semver.Version) bool) (registry.Version, error) {
		return b.Builder.Tools().Pick(all, wish, fits, progress.NewReport(nil))
	}}
	if w.Node != "" {
		return q.asked(rel.App, w.Node)
	}
	return q.newest()
}

// checkKernel refuses to give an image Debian's kernel in place of the minimal one: it needs more memory, and is only
// chosen because the minimal one of a newer source has not been compiled yet.
func (b Rebaser) checkKernel(ctx context.Context, was string) error {
	old, err := base.Read(b.State, was)
	if err != nil || !base.IsMinimal(old.Kernel) {
		return nil //nolint:nilerr // a base that cannot be read is no reason to stay on it
	}
	next, why, err := b.Bases.NextKernel(ctx)
	if err != nil {
		return core.Reject("there is no newer base: "+err.Error(), "`base:update --kernel` compiles the kernel, in about ten minutes")
	}
	if !base.IsMinimal(next) && why != "" {
		return core.Reject("a new base would have Debian's kernel, since "+progress.OneLine(why),
			"`base:update --kernel` compiles the kernel, in about ten minutes")
	}
	return nil
}

// checkLibraries refuses another glibc for images with parts of the glibc that they were built beside: those name each
// other by private symbols. What npm's packages compile names public ones, which later versions keep.
func (b Rebaser) checkLibraries(rel core.Release, to core.BaseRef) error {
	was, is := b.glibc(rel.Manifest.Base), b.glibc(to.ID)
	if rel.Manifest.Debian.Digest == "" || was == is {
		return nil
	}
	return core.Reject(fmt.Sprintf("it has packages of Debian for glibc %s, and a new base has %s", was, is),
		"`ps:rebuild "+rel.App+"` fetches them anew")
}

// MayGoBack says why the image of rel, which was built since, cannot go back to an older base, or nil.
func (b Rebaser) MayGoBack(rel core.Release, to core.BaseRef) error {
	was, is := b.glibc(rel.Manifest.Base), b.glibc(to.ID)
	if was == is || rel.Manifest.Debian.Digest == "" && rel.Manifest.Deps.Digest == "" {
		return nil
	}
	return core.Reject(fmt.Sprintf("v%d was built beside glibc %s, and the base before has %s", rel.Version, was, is), "")
}

// glibc is the version of a base's glibc without Debian's own number: "2.36".
func (b Rebaser) glibc(id string) string {
	c, err := base.Read(b.State, id)
	if err != nil {
		return ""
	}
	upstream, _, _ := strings.Cut(c.Packages()["libc6"], "-")
	return upstream
}

// CompileKernel makes the kernel that new bases get, if it has not been compiled.
func (b Rebaser) CompileKernel(ctx context.Context, r *progress.Report) error {
	err := b.Bases.CompileKernel(ctx, r)
	if err != nil && ctx.Err() == nil {
		return &core.Rejection{Reason: err.Error(), Hint: "leave --kernel out to update the rest", Err: err}
	}
	return err
}
