package builder

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gitd/internal/builder/registry"
	"gitd/internal/core"
)

const (
	// defaultNode is the major version that an app gets unless engines.node
	// says otherwise: a long-term-support line, and one for which native
	// addons are published.
	defaultNode = 22
	// oldestNode is the first major version that gitd offers: npm 10 and the
	// layout of the registry's Node packages start there.
	oldestNode = 18
	// npmLine is the major version of npm: the one that comes with Node 22,
	// and that runs on every Node offered.
	npmLine = 10
)

// pickNode chooses the Node version for an engines.node range: the newest of
// the default line if that satisfies it, else the newest that does. What npm
// and nvm allow as a name ("lts/*", "node") means no wish.
func pickNode(wish string, all []registry.Version) (registry.Version, error) {
	offered := slices.DeleteFunc(slices.Clone(all), func(v registry.Version) bool {
		return v.Number.Major() < oldestNode
	})
	if len(offered) == 0 {
		return registry.Version{}, fmt.Errorf("the npm registry has no Node %d or later", oldestNode)
	}
	c, err := nodeRange(wish)
	if err != nil {
		return registry.Version{}, err
	}
	newest, ok := registry.Version{}, false
	for _, v := range offered {
		if c.Check(v.Number) && (!ok || better(v.Number, newest.Number)) {
			newest, ok = v, true
		}
	}
	if !ok {
		return registry.Version{}, core.Reject(
			fmt.Sprintf("no Node satisfies engines.node %q", wish),
			"available: "+strings.Join(newestOfLines(offered), ", "))
	}
	return newest, nil
}

// nodeRange reads an npm range.
func nodeRange(wish string) (*semver.Constraints, error) {
	wish = strings.TrimSpace(wish)
	name := strings.ToLower(wish)
	if name == "" || name == "node" || name == "current" || name == "latest" || strings.HasPrefix(name, "lts") {
		wish = "*"
	}
	c, err := semver.NewConstraint(wish)
	if err != nil {
		return nil, core.Reject(fmt.Sprintf("engines.node %q is no version range", wish),
			`use one such as ">=20" or "22.x" in package.json`)
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
func newestOfLines(all []registry.Version) []string {
	lines := map[uint64]*semver.Version{}
	for _, v := range all {
		if l := lines[v.Number.Major()]; l == nil || v.Number.GreaterThan(l) {
			lines[v.Number.Major()] = v.Number
		}
	}
	var list []*semver.Version
	for _, v := range lines {
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b *semver.Version) int { return cmp.Compare(a.Major(), b.Major()) })
	names := make([]string, len(list))
	for i, v := range list {
		names[i] = v.String()
	}
	return names
}

// pickNPM chooses the newest npm of our line that says it runs on node.
func pickNPM(node *semver.Version, all []registry.Version) (registry.Version, error) {
	newest, ok := registry.Version{}, false
	for _, v := range all {
		if v.Number.Major() != npmLine || (ok && !v.Number.GreaterThan(newest.Number)) {
			continue
		}
		if c, err := semver.NewConstraint(v.Node); err == nil && c.Check(node) {
			newest, ok = v, true
		}
	}
	if !ok {
		return registry.Version{}, core.Reject(
			fmt.Sprintf("no npm %d runs on Node %s", npmLine, node),
			"ask for a newer Node in package.json: engines.node")
	}
	return newest, nil
}
