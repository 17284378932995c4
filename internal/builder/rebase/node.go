package rebase

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// question is which Node an image gets.
type question struct {
	all  []registry.Version
	wish nodeapp.NodeWish // of its repository
	now  *semver.Version  // that it has
	pick func(nodeapp.NodeWish, func(*semver.Version) bool) (registry.Version, error)
}

// newest is the newest Node of the image's line that its repository takes, and never an older one than it has. Compiled
// packages are for one line: the minor versions of a line keep what they were compiled for.
func (q question) newest() (choice, error) {
	line := func(v *semver.Version) bool { return v.Major() == q.now.Major() && !v.LessThan(q.now) }
	best, err := q.pick(nodeapp.NodeWish{}, line)
	if err != nil {
		return q.same(nil) // the registry does not have its Node any more, nor a newer one
	}
	v, err := q.pick(q.wish, line)
	if _, ok := errors.AsType[*core.Rejection](err); ok {
		return q.same(q.held(best)) // what the repository asks for has gone, or it asks for an older one by now
	}
	if err != nil {
		return choice{}, err
	}
	c := choice{node: v}
	if v.Number.LessThan(best.Number) {
		c.held = q.held(best)
	}
	return c, nil
}

// same is the Node that the image has.
func (q question) same(held *core.Rejection) (choice, error) {
	v, err := q.pick(nodeapp.NodeWish{Pin: q.now.String(), From: "its image"}, func(*semver.Version) bool { return true })
	return choice{v, held}, err
}

// held says why the image does not get the best Node of its line; nil: it has that.
func (q question) held(best registry.Version) *core.Rejection {
	if best.Number.Equal(q.now) {
		return nil
	}
	return core.Reject(fmt.Sprintf("%s keeps it from Node %s", q.says(), best.Number), "change that in the repository, and push")
}

// says is what the repository asks for, and where.
func (q question) says() string {
	if q.wish.Pin != "" {
		return fmt.Sprintf("%s %q", q.wish.From, progress.Shorten(q.wish.Pin))
	}
	return fmt.Sprintf("engines.node %q", progress.Shorten(cmp.Or(q.wish.Range, "*")))
}

// asked is the newest Node in a range that somebody has typed. A version that is named exactly may be older than what
// the image has.
func (q question) asked(app, text string) (choice, error) {
	want, err := semver.NewConstraint(text)
	if err != nil {
		return choice{}, core.Reject(fmt.Sprintf("%q is no version of Node", progress.Shorten(text)), "use one such as 22 or 22.23.3")
	}
	_, inexact := semver.StrictNewVersion(text)
	fits := func(v *semver.Version) bool {
		return want.Check(v) && (inexact == nil || v.Major() != q.now.Major() || !v.LessThan(q.now))
	}
	v, err := q.pick(q.wish, fits)
	if _, ok := errors.AsType[*core.Rejection](err); ok {
		if _, none := q.pick(nodeapp.NodeWish{}, fits); none != nil {
			return choice{}, core.Reject(fmt.Sprintf("it has Node %s, and no newer %s is published", q.now, progress.Shorten(text)), "")
		}
		return choice{}, core.Reject(fmt.Sprintf("%s does not take Node %s", q.says(), progress.Shorten(text)),
			"change that in the repository, and push")
	}
	if err == nil && v.Number.Major() != q.now.Major() {
		return choice{}, q.another(app, v)
	}
	return choice{node: v}, err
}

// another refuses a Node of another line: what is compiled in node_modules is for the line that the image has.
func (q question) another(app string, v registry.Version) *core.Rejection {
	hint := fmt.Sprintf("set engines.node to \"%d.x\" in package.json, and push", v.Number.Major())
	built, err := q.pick(q.wish, func(*semver.Version) bool { return true })
	if err == nil && built.Number.Major() == v.Number.Major() {
		hint = "`ps:rebuild " + app + "` does that"
	}
	return core.Reject(fmt.Sprintf("it was built for Node %d, and must be built again for Node %d", q.now.Major(), v.Number.Major()), hint)
}
