package builder

import (
	"testing"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/builder/registry"
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
	if v, err := pickNode(">=22.2 <24", all); err != nil || v.Number.String() != "22.23.3" || v.Name != "x" {
		t.Errorf("got %+v, %v", v, err)
	}
	_, err := pickNode("99", all)
	rejected(t, err, "no Node satisfies")
	if _, err := pickNode("", nil); err == nil {
		t.Error("there is a Node where none is published")
	}
}

func TestPickNPM(t *testing.T) {
	all := published("9.9.4", "10.9.4", "10.9.9", "11.2.0")
	if v, err := pickNPM(semver.MustParse("22.0.0"), all); err != nil || v.Number.String() != "10.9.9" {
		t.Errorf("got %v, %v", v.Number, err)
	}
	_, err := pickNPM(semver.MustParse("18.1.0"), all)
	rejected(t, err, "no npm 10 runs on Node 18.1.0")
}
