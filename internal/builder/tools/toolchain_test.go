package tools

import (
	"errors"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

func published(numbers ...string) []registry.Version {
	var all []registry.Version
	for _, n := range numbers {
		all = append(all, registry.Version{Name: "x", Number: semver.MustParse(n), Node: "^18.17.0 || >=20.5.0"})
	}
	return all
}

// TestPickNode: the version that the rule chooses is the package that is fetched.
func TestPickNode(t *testing.T) {
	all := published("20.20.2", "22.1.0", "22.23.3", "24.21.0")
	if v, _, err := pickNode(nodeapp.NodeWish{Range: ">=22.2 <24"}, all); err != nil || v.Number.String() != "22.23.3" || v.Name != "x" {
		t.Errorf("got %+v, %v", v, err)
	}
	_, _, err := pickNode(nodeapp.NodeWish{Range: "99"}, all)
	rejected(t, err, "no Node satisfies")
	if _, _, err := pickNode(nodeapp.NodeWish{}, nil); err == nil {
		t.Error("there is a Node where none is published")
	}
}

// TestPickManager: which version of a package manager is taken, for what is asked and for a Node.
func TestPickManager(t *testing.T) {
	npms := append(published("9.9.4", "10.9.4", "10.9.9"),
		registry.Version{Name: "npm", Number: semver.MustParse("11.21.2"), Node: "^20.17.0 || >=22.9.0"},
		registry.Version{Name: "npm", Number: semver.MustParse("12.2.2"), Node: "^22.22.2 || >=26.0.0"},
		registry.Version{Name: "npm", Number: semver.MustParse("6.14.18")},
		registry.Version{Name: "npm", Number: semver.MustParse("9.9.3"), Node: ">=18.0.0"})
	pnpms := []registry.Version{
		{Name: "pnpm", Number: semver.MustParse("8.15.9"), Node: ">=16.14"},
		{Name: "pnpm", Number: semver.MustParse("10.34.9"), Node: ">=18.12"},
		{Name: "pnpm", Number: semver.MustParse("11.28.11"), Node: ">=22.13"},
	}
	for name, c := range map[string]struct {
		m    nodeapp.Manager
		node string
		all  []registry.Version
		want string
	}{
		"Node 22's own npm":              {nodeapp.Manager{Tool: nodeapp.NPM}, "22.23.3", npms, "10.9.9"},
		"Node 24's own npm":              {nodeapp.Manager{Tool: nodeapp.NPM}, "24.21.0", npms, "11.21.2"},
		"npm 10 does not run on 18.1":    {nodeapp.Manager{Tool: nodeapp.NPM}, "18.1.0", npms, "9.9.3"},
		"a range leaves the choice":      {nodeapp.Manager{Tool: nodeapp.NPM, Range: ">=8"}, "22.23.3", npms, "10.9.9"},
		"a range above":                  {nodeapp.Manager{Tool: nodeapp.NPM, Range: ">=11"}, "22.23.3", npms, "11.21.2"},
		"a range far above":              {nodeapp.Manager{Tool: nodeapp.NPM, Range: "^12"}, "22.23.3", npms, "12.2.2"},
		"an old one":                     {nodeapp.Manager{Tool: nodeapp.NPM, Range: "6.x"}, "22.23.3", npms, "6.14.18"},
		"exactly":                        {nodeapp.Manager{Tool: nodeapp.NPM, Range: "10.9.4", From: "packageManager"}, "22.23.3", npms, "10.9.4"},
		"the lockfile's":                 {nodeapp.Manager{Tool: nodeapp.PNPM, Fits: "^10"}, "22.23.3", pnpms, "10.34.9"},
		"exactly, whatever the lockfile": {nodeapp.Manager{Tool: nodeapp.PNPM, Fits: "^10", Range: "8.15.9", From: "packageManager"}, "22.23.3", pnpms, "8.15.9"},
		"both":                           {nodeapp.Manager{Tool: nodeapp.PNPM, Fits: ">=11", Range: ">=8"}, "22.23.3", pnpms, "11.28.11"},
	} {
		t.Run(name, func(t *testing.T) {
			if v, err := pickManager(c.m, semver.MustParse(c.node), c.all); err != nil || v.Number.String() != c.want {
				t.Errorf("got %v, %v; want %s", v.Number, err, c.want)
			}
		})
	}
	for reason, m := range map[string]nodeapp.Manager{
		`pnpm 11.28.11 (packageManager) does not run on Node 20.20.2, but on ">=22.13"`: {Tool: nodeapp.PNPM, Range: "11.28.11", From: "packageManager"},
		"there is no pnpm 9.99.9 (packageManager)":                                      {Tool: nodeapp.PNPM, Range: "9.99.9", From: "packageManager"},
		`engines.pnpm "new" is no version range`:                                        {Tool: nodeapp.PNPM, Range: "new", From: "engines.pnpm"},
	} {
		_, err := pickManager(m, semver.MustParse("20.20.2"), pnpms)
		rejected(t, err, reason)
	}
}

// rejected expects a *core.Rejection with this reason.
func rejected(t *testing.T, err error, reason string) {
	t.Helper()
	var r *core.Rejection
	if !errors.As(err, &r) || !strings.Contains(r.Reason, reason) {
		t.Errorf("got %v (%T), want a rejection with %q", err, err, reason)
	}
}

// TestYarnLock: yarn 1 takes packages from where its lockfile says. What names npm's public registry comes from the
// server's instead; a private registry's stays.
func TestYarnLock(t *testing.T) {
	const lock = "ms@2:\n  resolved \"https://registry.yarnpkg.com/ms/-/ms-2.tgz#1\"\n  integrity sha512-x\n" +
		"a@1:\n  resolved \"https://registry.npmjs.org/a/-/a-1.tgz\"\nb@1:\n  resolved \"https://npm.example.org/b-1.tgz\"\n"
	want := strings.NewReplacer("https://registry.yarnpkg.com/", "http://10.0.0.1/npm/", "https://registry.npmjs.org/", "http://10.0.0.1/npm/").Replace(lock)
	if got := string(YarnLock([]byte(lock), "http://10.0.0.1/npm/")); got != want {
		t.Errorf("got %s", got)
	}
}
