// Package nodeversion chooses among the published versions of Node.
//
// It owns which of them fits what a repository asks for, and which line is the default. It is pure. It does not own
// where a repository says what it asks for (package nodeapp), nor where the versions are (package builder).
package nodeversion

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

const (
	// Default is the major version that an app gets unless it asks for another: a long-term-support line, and one
	// for which native addons are published.
	Default = 22
	// oldestNode is the first major version that gitd offers: the layout of the registry's Node packages starts there.
	oldestNode = 18
)

// ltsNames are the names of Node's long-term-support lines, as nvm writes them: "lts/iron".
var ltsNames = map[string]string{
	"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14", "gallium": "16",
	"hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24",
}

// Wish is which Node a repository asks for.
type Wish struct {
	Range string // engines.node: what the app runs on
	Pin   string // what a version manager's file says: what its author runs it on
	From  string // the file of Pin, for people
}

// Pick chooses among the versions that are published. A pin within engines.node counts; a pin outside of it does not,
// because engines.node is what the app says of itself. Without a pin it is the newest of the default line if that
// satisfies the range, else the newest version that does. why says which rule it was.
func (w Wish) Pick(published []*semver.Version) (v *semver.Version, why string, err error) {
	offered := slices.DeleteFunc(slices.Clone(published), func(v *semver.Version) bool {
		return v.Major() < oldestNode
	})
	if len(offered) == 0 {
		return nil, "", fmt.Errorf("no Node %d or later is published", oldestNode)
	}
	engines, err := nodeRange("engines.node", w.Range)
	if err != nil {
		return nil, "", err
	}
	if w.Pin != "" {
		pin, err := nodeRange(w.From, w.Pin)
		if err != nil {
			return nil, "", err
		}
		if v := newestNode(offered, pin, engines); v != nil {
			return v, fmt.Sprintf("%s %q", w.From, progress.Shorten(w.Pin)), nil
		}
	}
	v = newestNode(offered, engines)
	switch {
	case w.Pin != "" && (Any(w.Range) || v == nil):
		return nil, "", noNode(w.From, w.Pin, offered)
	case v == nil:
		return nil, "", noNode("engines.node", w.Range, offered)
	case w.Pin != "":
		return v, fmt.Sprintf("engines.node %q; not %s %q, which is outside of it",
			progress.Shorten(w.Range), w.From, progress.Shorten(w.Pin)), nil
	case w.Range != "":
		return v, fmt.Sprintf("engines.node %q", progress.Shorten(w.Range)), nil
	}
	return v, "the default; engines.node in package.json chooses another", nil
}

func noNode(from, wish string, offered []*semver.Version) error {
	return core.Reject(fmt.Sprintf("no Node satisfies %s %q", from, progress.Shorten(wish)),
		"available: "+strings.Join(newestOfLines(offered), ", "))
}

// newestNode is the best of the versions that satisfy all ranges; nil: there is none.
func newestNode(offered []*semver.Version, ranges ...*semver.Constraints) *semver.Version {
	var newest *semver.Version
	for _, v := range offered {
		fits := !slices.ContainsFunc(ranges, func(c *semver.Constraints) bool { return !c.Check(v) })
		if fits && (newest == nil || better(v, newest)) {
			newest = v
		}
	}
	return newest
}

// Any reports whether a wish leaves the choice to gitd: none, or a name that npm or nvm has for "a new one".
func Any(wish string) bool {
	switch strings.ToLower(strings.TrimSpace(wish)) {
	case "", "node", "current", "latest", "stable", "lts", "lts/*", "*":
		return true
	}
	return false
}

// nodeRange reads an npm range, or a name such as "lts/iron". from is where it stands.
func nodeRange(from, wish string) (*semver.Constraints, error) {
	wish = strings.TrimSpace(wish)
	if Any(wish) {
		wish = "*"
	}
	if name, ok := strings.CutPrefix(strings.ToLower(wish), "lts/"); ok && ltsNames[name] != "" {
		wish = ltsNames[name]
	}
	c, err := semver.NewConstraint(wish)
	if err != nil {
		return nil, core.Reject(fmt.Sprintf("%s %q is no version range", from, progress.Shorten(wish)),
			`use one such as ">=20" or "22.x", or the name of a line, such as "lts/jod"`)
	}
	return c, nil
}

// better orders by the default line first, then by version.
func better(a, b *semver.Version) bool {
	if (a.Major() == Default) != (b.Major() == Default) {
		return a.Major() == Default
	}
	return a.GreaterThan(b)
}

// newestOfLines lists the newest version of each major version.
func newestOfLines(all []*semver.Version) []string {
	lines := map[uint64]*semver.Version{}
	for _, v := range all {
		if l := lines[v.Major()]; l == nil || v.GreaterThan(l) {
			lines[v.Major()] = v
		}
	}
	list := slices.SortedFunc(maps.Values(lines), func(a, b *semver.Version) int {
		return cmp.Compare(a.Major(), b.Major())
	})
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.String()
	}
	return names
}
