package nodeapp

import (
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestGuess: what the running app depends on says how much memory it gets at first; what only the build needs does not.
func TestGuess(t *testing.T) {
	for text, want := range map[string]core.Guess{
		`{"dependencies": {"express": "5"}}`:                                    {},
		`{"dependencies": {"next": "15", "sharp": "1", "@strapi/strapi": "5"}}`: {MemoryMiB: 512, Package: "@strapi/strapi"},
		`{"dependencies": {"node-red": "4"}}`:                                   {MemoryMiB: 256, Package: "node-red"},
		`{"devDependencies": {"typescript": "5", "next": "15"}}`:                {},
	} {
		m, err := ParsePackageJSON([]byte(text))
		check(t, err)
		if m.Guess != want {
			t.Errorf("%s: %+v, want %+v", text, m.Guess, want)
		}
	}
}

func TestNoHealthCheck(t *testing.T) {
	m, err := ParsePackageJSON([]byte(`{"nodeos": {"healthcheck": false}}`))
	check(t, err)
	if m.Settings.Health != (core.Health{Off: true}) || !m.Settings.ownHealth {
		t.Errorf("got %+v", m.Settings)
	}
	_, err = ParsePackageJSON([]byte(`{"nodeos": {"healthcheck": true}}`))
	rejected(t, err, "package.json: nodeos.healthcheck is true")
}
