package nodeapp

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/core"
)

const (
	// defaultNode is the major version that an app gets unless engines.node says otherwise: a long-term-support line,
	// and one for which native addons are published.
	defaultNode = 22
	// oldestNode is the first major version that gitd offers: npm 10 and the layout of the registry's Node packages
	// start there.
	oldestNode = 18
)

// PickNode chooses, among those that are published, the version of Node for an engines.node range: the newest of the
// default line if that satisfies the range, else the newest version that does. A name as npm and nvm have it ("lts/*",
// "node") counts as no range at all.
func PickNode(wish string, published []*semver.Version) (*semver.Version, error) {
	offered := slices.DeleteFunc(slices.Clone(published), func(v *semver.Version) bool {
		return v.Major() < oldestNode
	})
	if len(offered) == 0 {
		return nil, fmt.Errorf("no Node %d or later is published", oldestNode)
	}
	c, err := nodeRange(wish)
	if err != nil {
		return nil, err
	}
	var newest *semver.Version
	for _, v := range offered {
		if c.Check(v) && (newest == nil || better(v, newest)) {
			newest = v
		}
	}
	if newest == nil {
		return nil, core.Reject(fmt.Sprintf("no Node satisfies engines.node %q", wish),
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
