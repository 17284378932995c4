package builder

import (
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
)

// TestKey: what changes the installed dependencies changes the key, and what
// cannot does not.
func TestKey(t *testing.T) {
	node22 := tools.Toolchain{Node: "22.0.0", NPM: "10.0.0"}
	key := func(pkg, lock, rc string, t22 tools.Toolchain) string {
		m, err := nodeapp.ParsePackageJSON([]byte(pkg))
		check(t, err)
		k, err := installKey(nodeapp.Plan{Root: m, LockName: "package-lock.json", Lock: []byte(lock), Inputs: map[string][]byte{".npmrc": []byte(rc)}, DevDeps: m.Scripts["build"] != ""}, t22)
		check(t, err)
		return k
	}
	const pkg = `{"name":"a","version":"1.0.0","dependencies":{"ms":"2"},"scripts":{"start":"node ."}}`
	first := key(pkg, "lock", "", node22)
	for name, same := range map[string]string{
		"version": strings.Replace(pkg, "1.0.0", "1.0.1", 1),
		"scripts": strings.Replace(pkg, "node .", "node x", 1),
		"order":   `{"dependencies":{"ms":"2"},"name":"a"}`,
	} {
		if key(same, "lock", "", node22) != first {
			t.Errorf("%s changed the key", name)
		}
	}
	for name, other := range map[string]string{
		"dependencies": key(strings.Replace(pkg, `"2"`, `"3"`, 1), "lock", "", node22),
		"overrides":    key(strings.Replace(pkg, `"name"`, `"overrides":{},"name"`, 1), "lock", "", node22),
		"build":        key(strings.Replace(pkg, `"start"`, `"build":"x","start"`, 1), "lock", "", node22),
		"lock":         key(pkg, "lock2", "", node22),
		"npmrc":        key(pkg, "lock", "x=y", node22),
		"node":         key(pkg, "lock", "", tools.Toolchain{Node: "22.0.1", NPM: "10.0.0"}),
		"moved bytes":  key(pkg, "loc", "k", node22),
	} {
		if other == first {
			t.Errorf("%s did not change the key", name)
		}
	}
}
