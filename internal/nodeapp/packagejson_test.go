package nodeapp

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestSettings(t *testing.T) {
	m, err := ParsePackageJSON([]byte(`{"nodeos": {"memory": "1G", "cpus": 2, "port": 3000, "healthcheck": {"path": "/ok", "timeout": "90s", "interval": "1500ms", "attempts": 4, "port": 1}, "disk": 1}, "name": 1, "name": 2}`))
	check(t, err)
	want := Settings{
		Resources: core.Resources{MemoryMiB: 1024, CPUs: 2},
		Health:    core.Health{Path: "/ok", Timeout: 90 * time.Second, Interval: 1500 * time.Millisecond, Attempts: 4},
		Port:      3000, ownHealth: true,
	}
	if !reflect.DeepEqual(m.Settings, want) {
		t.Errorf("got %+v, want %+v", m.Settings, want)
	}
	for _, warning := range []string{"nodeos.disk is unknown", "nodeos.healthcheck.port is unknown", `"name" twice`} {
		if !slices.ContainsFunc(m.warnings, func(w string) bool { return strings.Contains(w, warning) }) {
			t.Errorf("no warning %q in %q", warning, m.warnings)
		}
	}
	for _, bad := range []string{
		`"x"`, `{"memory": 256}`, `{"memory": "10M"}`, `{"memory": "999999G"}`, `{"cpus": 0}`,
		`{"cpus": 1.5}`, `{"cpus": "2"}`, `{"healthcheck": "/x"}`, `{"healthcheck": {"path": "x"}}`,
		`{"healthcheck": {"path": "/a b"}}`, `{"healthcheck": {"path": "/\r\nHost: x"}}`, `{"healthcheck": {"timeout": 60}}`,
		`{"healthcheck": {"timeout": "1h"}}`, `{"healthcheck": {"interval": "1ms"}}`, `{"healthcheck": {"interval": 2}}`,
		`{"healthcheck": {"attempts": 0}}`, `{"healthcheck": {"attempts": "3"}}`, `{"healthcheck": {"attempts": 1e9}}`,
		`{"healthcheck": {"path": "//h\u0000"}}`, `{"healthcheck": null}`,
		`{"port": 80}`, `{"port": 65536}`, `{"port": "3000"}`, `{"port": 3000.5}`,
	} {
		_, err := ParsePackageJSON([]byte(`{"nodeos": ` + bad + `}`))
		rejected(t, err, "package.json: nodeos")
	}
}

// TestMemorySizes: whatever units.ParseBytes reads, within the limits of a machine.
func TestMemorySizes(t *testing.T) {
	for size, want := range map[string]int{
		"48M": 48, "256m": 256, "256MiB": 256, "256MB": 256, "1G": 1024, "1gib": 1024, "256G": 256 << 10,
		"47M": 0, "257G": 0, "1.5G": 0, "256": 0, "": 0, "256 M": 0, "0256M": 0, "1T": 0,
	} {
		m, err := ParsePackageJSON(fmt.Appendf(nil, `{"nodeos": {"memory": %q}}`, size))
		if m.Settings.Resources.MemoryMiB != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d MiB, %v; want %d", size, m.Settings.Resources.MemoryMiB, err, want)
		}
		if err != nil {
			rejected(t, err, "package.json: nodeos.memory is")
		}
	}
}

// FuzzPackageJSON: no package.json makes gitd panic, and what npm
// would read as a start script is what is read here.
func FuzzPackageJSON(f *testing.F) {
	f.Add([]byte(`{"scripts":{"start":"node server.js"},"nodeos":{"memory":"256M"}}`))
	f.Add([]byte(`{"main":"x.js","engines":{"node":">=20"},"workspaces":["a"]}`))
	f.Add([]byte("\xef\xbb\xbf{\"a\":{\"a\":[{}]}}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParsePackageJSON(b)
		if err != nil {
			rejected(t, err, "package.json")
			return
		}
		if _, err := m.InstallInput(); err != nil {
			t.Error(err)
		}
		files := map[string]string{"package.json": string(b), "server.js": "", "index.js": ""}
		p, err := MakePlan(repository(files), "")
		if err != nil {
			return
		}
		steps, err := p.Commands(repository(files), nil)
		for _, step := range steps {
			if err == nil && (len(step.Words) == 0 || strings.Contains(step.String(), "\x00")) {
				t.Errorf("start: %q", step)
			}
			for _, a := range step.Own {
				if a.Name == "PORT" {
					t.Error("PORT is set")
				}
			}
		}
	})
}
