package coretest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// portsOpened is a host whose ports are all free but one.
type portsOpened struct {
	taken    int
	reserved []string
	reloaded []string
}

func (p *portsOpened) Reserve(at offer.HostPort) error {
	if at.Host == p.taken {
		return core.Reject(fmt.Sprintf("port %d of this server is in use by another program", at.Host), "choose another one")
	}
	p.reserved = append(p.reserved, at.App+" "+at.String())
	return nil
}

func (p *portsOpened) Reload(app string) { p.reloaded = append(p.reloaded, app) }

// exposing makes builds of apps that expose a port.
func (w *world) exposing(port int) {
	w.driver.ports = []int{port}
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		m.Expose = core.Expose{TCP: []int{port}}
		if err == nil {
			err = src.Planned(m)
		}
		return m, err
	}
}

// TestPortsOfHost: a push takes the ports of the host that every app may have, and others only where the operator has
// given them; not gitd's own, nor another app's, nor what another program has.
func TestPortsOfHost(t *testing.T) {
	w, host := newWorld(t), &portsOpened{taken: 5001}
	w.close()
	w.openWith(func(c *engine.Config) {
		c.Ports, c.HostPorts = host, engine.HostPorts{Ranges: []offer.Range{{First: 5000, Last: 5010}}, Own: []int{5002}}
	})
	ctx, ada := t.Context(), core.Actor{Name: "ada", Admin: true}
	for port, want := range map[int]string{
		5432: "port 5432 of this server is not open to shop", 5002: "is gitd's own", 5001: "is in use by another program",
	} {
		w.exposing(port)
		if reject, out := w.push(none, commit(1)); !strings.Contains(reject, want) {
			t.Errorf("port %d: rejected %q, want %q:\n%s", port, reject, want, out)
		}
	}
	w.must(w.core.Ports.AllowPort(ctx, ada, offer.HostPort{App: "shop", Host: 15432, Port: 5432}))
	w.exposing(5432)
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	if last := host.reserved[len(host.reserved)-1]; last != "shop 15432:5432" {
		t.Errorf("opened: %q", host.reserved)
	}
	if got := w.noted("ports.allow"); got != "ada: 15432:5432" {
		t.Errorf("noted: %q", got)
	}

	_, err := w.ledger.CreateApp(ctx, "blog")
	w.must(err)
	w.must(w.core.Ports.Claim(ctx, "blog", core.Expose{TCP: []int{5003}}))
	var rejected *core.Rejection
	if err := w.core.Ports.Claim(ctx, "shop", core.Expose{TCP: []int{5003}}); !errors.As(err, &rejected) || strings.Contains(rejected.Reason, "blog") {
		t.Errorf("a port of another app: %v", err)
	}
	if err := w.core.Ports.AllowPort(ctx, ada, offer.HostPort{App: "shop", Host: 5001, Port: 5432}); err == nil {
		t.Error("a port that another program has is given")
	}
	// 5001 was taken by a push that then failed.
	if all, err := w.ledger.HostPorts(ctx, "shop"); err != nil || len(all) != 2 {
		t.Errorf("shop has %+v, %v", all, err)
	}
	w.must(w.core.Ports.DenyPort(ctx, ada, "shop", 15432))
	if err := w.core.Ports.DenyPort(ctx, ada, "shop", 15432); !errors.As(err, &rejected) {
		t.Errorf("a port that shop does not have: %v", err)
	}
	w.exposing(5432)
	if err := w.core.Redeploy(ctx, ada, "shop", core.ByRestart, &syncBuffer{}); err == nil {
		t.Error("a port that was taken away is opened by a restart")
	}
}

// links are those that the machines of an app have, as text.
func (w *world) linksOfMachines(app string) string {
	w.t.Helper()
	var all []string
	for _, m := range w.driver.all() {
		if m.App != app {
			continue
		}
		for _, l := range m.spec.Egress.Links {
			all = append(all, strings.Join(l.Names, "+"))
		}
	}
	return strings.Join(all, " ")
}

// TestLinksOfMachines: a link holds at once, and in later machines; it follows the app that it leads to, and ends with
// it: another app of its name is not reached.
func TestLinksOfMachines(t *testing.T) {
	w := newWorld(t)
	ctx, ada := t.Context(), core.Actor{Name: "ada", Admin: true}
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	_, err := w.ledger.CreateApp(ctx, "db")
	w.must(err)
	want := func(text string) {
		t.Helper()
		if got := w.linksOfMachines("shop"); got != text {
			t.Errorf("linked to %q, want %q", got, text)
		}
	}
	want("")
	_, err = w.core.Links.AddLink(ctx, ada, "shop", "db", "")
	w.must(err)
	want("db")
	w.must(w.core.Redeploy(ctx, ada, "shop", core.ByRestart, &syncBuffer{}))
	w.eventually("one machine", func() bool { return w.driver.count() == 1 })
	want("db")
	r := w.run("cat")
	if e := w.lastSpec().Egress; len(e.Links) != 1 {
		t.Errorf("a command beside the app has %+v", e)
	}
	r.in.Close()
	w.ends(r)
	w.must(w.core.RenameApp(ctx, ada, "db", "store"))
	want("store+db")
	_, err = w.ledger.CreateApp(ctx, "db")
	w.must(err)
	w.must(w.core.DestroyApp(ctx, ada, "store", &syncBuffer{}))
	want("")
	if _, err := w.core.Links.AddLink(ctx, ada, "shop", "shop", ""); err == nil {
		t.Error("shop is linked to itself")
	}
	_, err = w.core.Links.AddLink(ctx, ada, "shop", "db", "")
	w.must(err)
	w.must(w.core.Links.RemoveLink(ctx, ada, "shop", "db"))
	want("")
	if got := w.noted("links.remove"); got != "ada: db" {
		t.Errorf("noted: %q", got)
	}
}
