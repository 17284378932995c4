package deploy_test

import (
	"context"
	"testing"

	"gitd/internal/deploy"
)

// TestEnvironment: what the repository says, below what people set, below
// what gitd promises; and the next release has the settings of that moment,
// whatever commit it is of.
func TestEnvironment(t *testing.T) {
	w := newWorld(t)
	w.build = func(ctx context.Context, src deploy.Source, r *deploy.Report) (deploy.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		m.Env = map[string]string{"WHICH": "server.js", "COLOUR": "red", "PORT": "3000", "NODE_ENV": "test"}
		m.Resources = deploy.Resources{MemoryMiB: 200}
		return m, err
	}
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	ctx := t.Context()
	if err := w.ledger.SetVars(ctx, "shop", map[string]string{"COLOUR": "blue", "KEY": "a\nb", "USER": "nobody"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := w.ledger.SetResources(ctx, "shop", deploy.Resources{MemoryMiB: 300, CPUs: 2}); err != nil {
		t.Fatal(err)
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	before, after := w.driver.specs[0], w.driver.specs[1]
	for name, want := range map[string][2]string{
		"COLOUR": {"red", "blue"}, "KEY": {"", "a\nb"}, "USER": {"app", "nobody"},
		"NODE_ENV": {"test", "test"}, "PORT": {"8080", "8080"}, "NODEOS_RELEASE": {"v1", "v2"},
	} {
		if before.Env[name] != want[0] || after.Env[name] != want[1] {
			t.Errorf("%s is %q, then %q; want %q", name, before.Env[name], after.Env[name], want)
		}
	}
	if before.Resources != (deploy.Resources{MemoryMiB: 200, CPUs: 1}) || after.Resources != (deploy.Resources{MemoryMiB: 300, CPUs: 2}) {
		t.Errorf("resources %+v, then %+v", before.Resources, after.Resources)
	}
}
