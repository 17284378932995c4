package usage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// counted is a ledger that has many apps with many releases each, and counts how often it is asked for what.
type counted struct {
	apps, releases int
	asked          map[string]int
}

func (c counted) Apps(context.Context) ([]core.App, error) {
	c.asked["apps"]++
	var all []core.App
	for i := range c.apps {
		all = append(all, core.App{Name: fmt.Sprintf("app%d", i)})
	}
	return all, nil
}

func (c counted) Images(context.Context) ([]core.Release, error) {
	c.asked["images"]++
	var all []core.Release
	for i := range c.apps {
		for v := range c.releases {
			all = append(all, core.Release{
				App: fmt.Sprintf("app%d", i), Version: v + 1,
				Manifest: core.Manifest{Base: "b", App: core.Layer{Digest: fmt.Sprintf("%d-%d", i, v), Size: 1}},
			})
		}
	}
	return all, nil
}

func (c counted) Volumes(_ context.Context, app string) ([]core.Volume, error) {
	c.asked["volumes of "+app]++
	return []core.Volume{{ID: "v", App: "app0"}}, nil
}

// TestOnePass: du used to look at every image again for each app. It also left out the volumes if the ledger was inside
// of a wrapper, because it tested whether the ledger happened to know volumes.
func TestOnePass(t *testing.T) {
	state := core.StateDir(t.TempDir())
	write := func(path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(state.Kernel("b"), "k")
	write(state.Root("b"), "r")
	for v := range 3 {
		write(state.Layer(fmt.Sprintf("1-%d", v)), "x")
	}
	write(state.Volume("v"), "data")
	ledger := counted{apps: 4, releases: 5, asked: map[string]int{}}
	u, err := Meter{State: state, Ledger: ledger}.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{0, 3, 0, 0} {
		if u.Apps[i].Images != want {
			t.Errorf("%s has %d images, want %d", u.Apps[i].App, u.Apps[i].Images, want)
		}
	}
	if u.Apps[0].Volumes == 0 || u.Apps[1].Volumes != 0 {
		t.Errorf("volumes: %d and %d bytes", u.Apps[0].Volumes, u.Apps[1].Volumes)
	}
	for what, n := range ledger.asked {
		if n != 1 {
			t.Errorf("the ledger was asked %d times for the %s", n, what)
		}
	}
	if len(ledger.asked) != 3 {
		t.Errorf("asked: %v", ledger.asked)
	}
}
