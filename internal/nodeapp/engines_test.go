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
		"": "22.23.3", "*": "22.23.3", "x": "22.23.3", "lts/*": "22.23.3", "lts/jod": "22.23.3", "node": "22.23.3",
		">=20": "22.23.3", ">= 20": "22.23.3", ">=20 <23 || 24.x": "22.23.3", "^22": "22.23.3", "22": "22.23.3",
		"22.x": "22.23.3", "v22.1.0": "22.1.0", "22.1": "22.1.0", "~22.1.0": "22.1.0", "<22": "20.20.2",
		"20": "20.20.2", "18 || 20": "20.20.2", "^18.0.0": "18.20.8", ">=23": "26.10.0", "18 - 20": "20.20.2",
		">=24.0.0 <25.0.0": "24.21.0", "=20.5.0": "20.5.0", " 24.x ": "24.21.0",
	} {
		if v, err := PickNode(wish, all); err != nil || v.String() != want {
			t.Errorf("%q: %v, %v; want %s", wish, v, err, want)
		}
	}
	_, err := PickNode("16.x", all)
	rejected(t, err, `no Node satisfies engines.node "16.x"`)
	_, err = PickNode("99", all)
	rejected(t, err, `no Node satisfies`)
	if r := err.(*core.Rejection); !strings.Contains(r.Hint, "18.20.8, 20.20.2, 22.23.3, 23.11.1, 24.21.0, 26.10.0") { //nolint:errorlint // checked above
		t.Errorf("hint: %s", r.Hint)
	}
	_, err = PickNode("not a range", all)
	rejected(t, err, "is no version range")
}
