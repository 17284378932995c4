package coretest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
)

// TestNetworkOfMachines: each machine is booted with what all apps and its own may reach, one-off machines too; what is
// taken away is closed from the next boot on; and the audit says who did it.
func TestNetworkOfMachines(t *testing.T) {
	w := newWorld(t)
	w.close()
	all, own := egressRule(t, "192.168.7.0/24"), egressRule(t, "10.0.0.5:5432")
	w.openWith(func(c *engine.Config) { c.Egress = core.Egress{Rules: []core.EgressRule{all}, Rate: 100 << 20} })
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	ctx, host := t.Context(), core.Host()
	booted := func(want string) {
		t.Helper()
		e := w.lastSpec().Egress
		if got := fmt.Sprintf("%s %d", e.Rules, e.Rate>>20); got != want {
			t.Errorf("booted with %s, want %s", got, want)
		}
	}
	restart := func() {
		t.Helper()
		w.must(w.core.Redeploy(ctx, host, "shop", core.ByRestart, &syncBuffer{}))
	}
	booted("[192.168.7.0/24] 100")
	w.must(w.core.AllowEgress(ctx, host, "shop", []core.EgressRule{own, all}))
	w.must(w.core.SetEgressRate(ctx, host, "shop", 5<<20))
	restart()
	booted("[192.168.7.0/24 10.0.0.5:5432] 5")
	r := w.run("cat")
	r.in.Close()
	w.ends(r)
	booted("[192.168.7.0/24 10.0.0.5:5432] 5")
	var rejected *core.Rejection
	if err := w.core.DenyEgress(ctx, host, "shop", []core.EgressRule{own, egressRule(t, "10.0.0.6")}); !errors.As(err, &rejected) {
		t.Errorf("a rule that is not there: %v", err)
	}
	w.must(w.core.SetEgressRate(ctx, host, "shop", core.NoRate))
	restart()
	booted("[192.168.7.0/24 10.0.0.5:5432] 0")
	w.must(w.core.DenyEgress(ctx, host, "shop", []core.EgressRule{own}))
	restart()
	booted("[192.168.7.0/24] 0")
	for action, want := range map[string]string{"network.allow": "10.0.0.5:5432, 192.168.7.0/24", "network.deny": "10.0.0.5:5432", "network.rate": "no limit"} {
		if got := w.noted(action); got != "host: "+want {
			t.Errorf("%s: %q", action, got)
		}
	}
}

// noted is what the audit says of the newest action of a kind.
func (w *world) noted(action string) string {
	w.t.Helper()
	all, err := w.ledger.Entries(w.t.Context(), "shop", 0)
	w.must(err)
	for _, e := range all {
		if e.Action == action {
			return e.Actor + ": " + e.Detail
		}
	}
	return ""
}

func egressRule(t *testing.T, text string) core.EgressRule {
	t.Helper()
	r, err := core.ParseEgressRule(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
