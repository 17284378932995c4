package nodeapp

import (
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/core"
)

func published(numbers ...string) []*semver.Version {
	var all []*semver.Version
	for _, n := range numbers {
		all = append(all, semver.MustParse(n))
	}
	return all
}

func TestPickNode(t *testing.T) {
	all := published("16.20.2", "18.20.8", "20.5.0", "20.20.2", "22.1.0", "22.23.3", "23.11.1", "24.21.0", "26.10.0")
	for wish, want := range map[string]string{
		"": "22.23.3", "*": "22.23.3", "x": "22.23.3", "lts/*": "22.23.3", "lts/jod": "22.23.3", "lts/iron": "20.20.2", "node": "22.23.3",
		">=20": "22.23.3", ">= 20": "22.23.3", ">=20 <23 || 24.x": "22.23.3", "^22": "22.23.3", "22": "22.23.3",
		"22.x": "22.23.3", "v22.1.0": "22.1.0", "22.1": "22.1.0", "~22.1.0": "22.1.0", "<22": "20.20.2",
		"20": "20.20.2", "18 || 20": "20.20.2", "^18.0.0": "18.20.8", ">=23": "26.10.0", "18 - 20": "20.20.2",
		">=24.0.0 <25.0.0": "24.21.0", "=20.5.0": "20.5.0", " 24.x ": "24.21.0",
	} {
		if v, _, err := (NodeWish{Range: wish}).Pick(all); err != nil || v.String() != want {
			t.Errorf("%q: %v, %v; want %s", wish, v, err, want)
		}
	}
	_, _, err := NodeWish{Range: "16.x"}.Pick(all)
	rejected(t, err, `no Node satisfies engines.node "16.x"`)
	_, _, err = NodeWish{Range: "99"}.Pick(all)
	rejected(t, err, `no Node satisfies`)
	if r := err.(*core.Rejection); !strings.Contains(r.Hint, "18.20.8, 20.20.2, 22.23.3, 23.11.1, 24.21.0, 26.10.0") { //nolint:errorlint // checked above
		t.Errorf("hint: %s", r.Hint)
	}
	_, _, err = NodeWish{Range: "not a range"}.Pick(all)
	rejected(t, err, "is no version range")
}

// TestNodeWish: where the version of Node is written down, and what counts if that is in several places.
func TestNodeWish(t *testing.T) {
	all := published("18.20.8", "20.5.0", "20.20.2", "22.23.3", "24.21.0")
	for name, c := range map[string]struct {
		pkg       string
		files     map[string]string
		want, why string
	}{
		"nothing":                    {`{}`, nil, "22.23.3", "the default; engines.node in package.json chooses another"},
		"engines":                    {`{"engines":{"node":"20"}}`, nil, "20.20.2", `engines.node "20"`},
		"nvm":                        {`{}`, map[string]string{".nvmrc": "# ours\nv20.5.0\n"}, "20.5.0", `.nvmrc "v20.5.0"`},
		"nvm's name of a line":       {`{}`, map[string]string{".nvmrc": "lts/iron"}, "20.20.2", `.nvmrc "lts/iron"`},
		"nvm leaves the choice":      {`{"engines":{"node":">=18"}}`, map[string]string{".nvmrc": "node"}, "22.23.3", `engines.node ">=18"`},
		"node-version":               {`{}`, map[string]string{".node-version": "18\n"}, "18.20.8", `.node-version "18"`},
		"nvm before node-version":    {`{}`, map[string]string{".node-version": "18\n", ".nvmrc": "20"}, "20.20.2", `.nvmrc "20"`},
		"volta":                      {`{"volta":{"node":"20.5.0"}}`, map[string]string{".nvmrc": "18"}, "20.5.0", `volta.node "20.5.0"`},
		"devEngines":                 {`{"devEngines":{"runtime":{"name":"node","version":"^20"}}}`, nil, "20.20.2", `devEngines.runtime "^20"`},
		"devEngines, a list":         {`{"devEngines":{"runtime":[{"name":"bun"},{"name":"node","version":"24.x"}]}}`, nil, "24.21.0", `devEngines.runtime "24.x"`},
		"a pin within the range":     {`{"engines":{"node":">=18"}}`, map[string]string{".nvmrc": "20"}, "20.20.2", `.nvmrc "20"`},
		"a pin outside of the range": {`{"engines":{"node":">=22"}}`, map[string]string{".nvmrc": "20"}, "22.23.3", `engines.node ">=22"; not .nvmrc "20", which is outside of it`},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParsePackageJSON([]byte(c.pkg))
			check(t, err)
			wish, err := readNodeWish(repository(c.files), m)
			check(t, err)
			if v, why, err := wish.Pick(all); err != nil || v.String() != c.want || why != c.why {
				t.Errorf("got %v (%s), %v; want %s (%s)", v, why, err, c.want, c.why)
			}
		})
	}
	for wish, reason := range map[NodeWish]string{
		{Pin: "16", From: ".nvmrc"}:       `no Node satisfies .nvmrc "16"`,
		{Pin: "lts/moon", From: ".nvmrc"}: `.nvmrc "lts/moon" is no version range`,
		{Range: "1"}:                      `no Node satisfies engines.node "1"`,
	} {
		_, _, err := wish.Pick(all)
		rejected(t, err, reason)
	}
}
