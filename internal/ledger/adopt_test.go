package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/ledgertest"
)

// labelled is a release as a label has it.
func labelled(version int, s core.State) core.Release {
	return core.Release{
		App: "shop", Version: version, Commit: ledgertest.Commit("b"), State: s, Trigger: core.ByPush,
		Manifest: core.Manifest{Base: "0a"}, Created: time.Unix(int64(version), 0).UTC(),
	}
}

func labelOf(releases ...core.Release) core.AppLabel {
	return core.AppLabel{
		App:       core.App{Name: "shop", Branch: "main", Created: time.Unix(1, 0), Stopped: true},
		Resources: core.Resources{MemoryMiB: 64}, Domains: []string{"www.example.org"}, Releases: releases,
		Machines: []core.Machine{{ID: "shop-v2-aa", App: "shop", Release: 2, Addr: "127.0.0.1:1"}},
	}
}

// TestAdopt: a label brings what the ledger lacks, and takes nothing from a ledger that knows more.
func TestAdopt(t *testing.T) {
	deployed := func(l *Ledger, n int) (r core.Release) {
		for range n {
			var err error
			if r, err = l.AddRelease(t.Context(), ledgertest.Draft("shop", ledgertest.Commit("a"))); err != nil {
				t.Fatal(err)
			}
			if err := promote(t.Context(), l, r); err != nil {
				t.Fatal(err)
			}
		}
		return r
	}
	for name, tt := range map[string]struct {
		has   func(l *Ledger) // of shop, which is there; nil: the ledger is new
		label core.AppLabel
		taken bool
		want  string // releases, the newest first
	}{
		"a new ledger":             {nil, labelOf(labelled(2, core.Live), labelled(1, core.Draining)), true, "v2 live, v1 retired"},
		"nothing was deployed yet": {nil, labelOf(), true, ""},
		"an older copy": {func(l *Ledger) { deployed(l, 1) }, labelOf(labelled(2, core.Live), labelled(1, core.Retired)), true,
			"v2 live, v1 retired"},
		"a copy from the middle of a push": {func(l *Ledger) {
			deployed(l, 1)
			if _, err := l.AddRelease(t.Context(), ledgertest.Draft("shop", ledgertest.Commit("b"))); err != nil {
				t.Fatal(err)
			}
		}, labelOf(labelled(2, core.Live), labelled(1, core.Retired)), true, "v2 live, v1 retired"},
		"it knows as much": {func(l *Ledger) { deployed(l, 2) }, labelOf(labelled(2, core.Live)), false, "v2 live, v1 draining"},
		"it knows more":    {func(l *Ledger) { deployed(l, 3) }, labelOf(labelled(2, core.Live)), false, "v3 live, v2 draining, v1 draining"},
	} {
		t.Run(name, func(t *testing.T) {
			l, ctx := openAt(t, newPath(t)), t.Context()
			if tt.has != nil {
				if _, err := l.CreateApp(ctx, "shop"); err != nil {
					t.Fatal(err)
				}
				tt.has(l)
			}
			taken, err := l.Adopt(ctx, tt.label)
			if err != nil || taken != tt.taken {
				t.Errorf("taken %v, %v", taken, err)
			}
			if again, err := l.Adopt(ctx, tt.label); err != nil || again {
				t.Errorf("again: taken %v, %v", again, err)
			}
			var got []string
			list, err := l.Releases(ctx, "shop", 0)
			for _, r := range list {
				got = append(got, fmt.Sprintf("v%d %s", r.Version, r.State))
			}
			if err != nil || strings.Join(got, ", ") != tt.want {
				t.Errorf("releases %q, %v", got, err)
			}
			checkSettings(t, l, tt.has == nil, tt.taken && len(tt.label.Releases) > 0)
		})
	}
}

// checkSettings: an app that was new has the label's settings, and another one keeps its own.
func checkSettings(t *testing.T, l *Ledger, isNew, hasMachine bool) {
	t.Helper()
	ctx := t.Context()
	a, err := l.App(ctx, "shop")
	if err != nil || a.Stopped != isNew || (a.Branch == "main") != isNew {
		t.Errorf("app %+v, %v", a, err)
	}
	r, err := l.Resources(ctx, "shop")
	if err != nil || (r.MemoryMiB == 64) != isNew {
		t.Errorf("resources %+v, %v", r, err)
	}
	domains, err := l.Domains(ctx, "shop")
	if err != nil || slices.Contains(domains, core.Domain{App: "shop", Host: "www.example.org"}) != isNew {
		t.Errorf("domains %v, %v", domains, err)
	}
	machines, err := l.Machines(ctx)
	if err != nil || (len(machines) == 1) != hasMachine {
		t.Errorf("machines %v, %v", machines, err)
	}
}
