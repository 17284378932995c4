package nodeapp

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/core"
)

const (
	// defaultNode is the major version that an app gets unless it asks for another: a long-term-support line, and one
	// for which native addons are published.
	defaultNode = 22
	// oldestNode is the first major version that gitd offers: the layout of the registry's Node packages starts there.
	oldestNode = 18
)

// ltsNames are the names of Node's long-term-support lines, as nvm writes them: "lts/iron".
var ltsNames = map[string]string{
	"argon": "4", "boron": "6", "carbon": "8", "dubnium": "10", "erbium": "12", "fermium": "14", "gallium": "16",
	"hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24",
}

// NodeWish is which Node a repository asks for.
type NodeWish struct {
	Range string // engines.node: what the app runs on
	Pin   string // what a version manager's file says: what its author runs it on
	From  string // the file of Pin, for people
}

// readNodeWish looks where Node versions are written down. Among the pins the first one counts: volta's and npm's are
// in package.json itself, nvm's file is older and more common than the other.
func readNodeWish(repo fs.FS, m PackageJSON) (NodeWish, error) {
	w := NodeWish{Range: strings.TrimSpace(m.Engines["node"])}
	for _, pin := range []struct{ from, version string }{
		{"volta.node", m.all.texts("volta")["node"]},
		{"devEngines.runtime", m.devEngine("runtime", "node")},
	} {
		if w.pin(pin.from, pin.version) {
			return w, nil
		}
	}
	for _, name := range []string{".nvmrc", ".node-version"} {
		b, err := readOptional(repo, name, versionFileLimit)
		if err != nil {
			return NodeWish{}, err
		}
		if w.pin(name, versionLine(string(b))) {
			break
		}
	}
	return w, nil
}

func (w *NodeWish) pin(from, version string) bool {
	if version = strings.TrimSpace(version); anyNode(version) {
		return false
	}
	w.From, w.Pin = from, version
	return true
}

// versionLine is the first line of a version manager's file that is neither empty nor a comment.
func versionLine(text string) string {
	for line := range strings.Lines(strings.TrimPrefix(text, byteOrderMark)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// Pick chooses among the versions that are published. A pin within engines.node counts; a pin outside of it does not,
// because engines.node is what the app says of itself. Without a pin it is the newest of the default line if that
// satisfies the range, else the newest version that does. why says which rule it was.
func (w NodeWish) Pick(published []*semver.Version) (v *semver.Version, why string, err error) {
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
			return v, fmt.Sprintf("%s %q", w.From, shorten(w.Pin)), nil
		}
	}
	v = newestNode(offered, engines)
	switch {
	case w.Pin != "" && (anyNode(w.Range) || v == nil):
		return nil, "", noNode(w.From, w.Pin, offered)
	case v == nil:
		return nil, "", noNode("engines.node", w.Range, offered)
	case w.Pin != "":
		return v, fmt.Sprintf("engines.node %q; not %s %q, which is outside of it",
			shorten(w.Range), w.From, shorten(w.Pin)), nil
	case w.Range != "":
		return v, fmt.Sprintf("engines.node %q", shorten(w.Range)), nil
	}
	return v, "the default; engines.node in package.json chooses another", nil
}

func noNode(from, wish string, offered []*semver.Version) error {
	return core.Reject(fmt.Sprintf("no Node satisfies %s %q", from, shorten(wish)),
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

// anyNode reports whether a wish leaves the choice to gitd: none, or a name that npm or nvm has for "a new one".
func anyNode(wish string) bool {
	switch strings.ToLower(strings.TrimSpace(wish)) {
	case "", "node", "current", "latest", "stable", "lts", "lts/*", "*":
		return true
	}
	return false
}

// nodeRange reads an npm range, or a name such as "lts/iron". from is where it stands.
func nodeRange(from, wish string) (*semver.Constraints, error) {
	wish = strings.TrimSpace(wish)
	if anyNode(wish) {
		wish = "*"
	}
	if name, ok := strings.CutPrefix(strings.ToLower(wish), "lts/"); ok && ltsNames[name] != "" {
		wish = ltsNames[name]
	}
	c, err := semver.NewConstraint(wish)
	if err != nil {
		return nil, core.Reject(fmt.Sprintf("%s %q is no version range", from, shorten(wish)),
			`use one such as ">=20" or "22.x", or the name of a line, such as "lts/jod"`)
	}
	return c, nil
}

// better orders by the default line first, then by version.
func better(a, b *semver.Version) bool {
	if (a.Major() == defaultNode) != (b.Major() == defaultNode) {
		return a.Major() == defaultNode
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
