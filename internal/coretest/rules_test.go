package coretest

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// TestRulesOfTheFrontDoor: what people set is held to at once, through a rename and the next gitd, before a request can
// come to the app; it ends with the app; and the audit says who did what.
func TestRulesOfTheFrontDoor(t *testing.T) {
	w := newWorld(t)
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	ctx, host := t.Context(), core.Host()
	front := w.core.Front
	isNew, err := front.SetUser(ctx, host, "shop", "ada", "correct horse")
	w.must(err)
	again, err := front.SetUser(ctx, host, "shop", "ada", "battery staple")
	w.must(err)
	if !isNew || again {
		t.Errorf("new: %v, then %v", isNew, again)
	}
	office := netip.MustParsePrefix("203.0.113.0/24")
	w.must(front.AddSources(ctx, host, "shop", []netip.Prefix{office, office}))
	w.must(front.SetLimits(ctx, host, "shop", map[string]string{rules.LimitBody: "10M", rules.LimitRequests: "100/s"}))
	w.must(front.SetPage(ctx, host, "shop", 503, "<p>no</p>"))
	w.must(front.BeginMaintenance(ctx, host, "shop", rules.Maintenance{Retry: time.Minute}))
	var rejected *core.Rejection
	for what, err := range map[string]error{
		"a user who is not there":    front.RemoveUser(ctx, host, "shop", "eve"),
		"an address of the kind":     front.RemoveSources(ctx, host, "shop", []netip.Prefix{office, netip.MustParsePrefix("10.0.0.0/8")}),
		"a page that is not there":   front.RemovePage(ctx, host, "shop", 502),
		"a status without a page":    front.SetPage(ctx, host, "shop", 200, "<p>"),
		"a limit that is none":       front.SetLimits(ctx, host, "shop", map[string]string{rules.LimitRequests: "fast"}),
		"maintenance that is not":    front.EndMaintenance(ctx, host, "nope"),
		"a name that is no name":     func() error { _, err := front.SetUser(ctx, host, "shop", "a:b", "x"); return err }(),
		"a page that is no page":     front.SetPage(ctx, host, "shop", 503, " \n"),
		"maintenance without a page": front.BeginMaintenance(ctx, host, "shop", rules.Maintenance{Page: "\xff"}),
	} {
		if !errors.As(err, &rejected) && !errors.Is(err, core.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	got := w.router.rulesOf("shop")
	if got.Maintenance == nil || got.Maintenance.By != "host" {
		t.Fatalf("%+v", got)
	}
	want := rules.Set{
		Users: []rules.User{{Name: "ada", Hash: "hash of battery staple"}}, Allow: []netip.Prefix{office}, Maintenance: got.Maintenance,
		Pages: map[int]string{503: "<p>no</p>"}, Limits: rules.Limits{Requests: rules.Rate{N: 100, Per: time.Second}, Body: 10 << 20},
	}
	same := func(app string, want rules.Set) {
		t.Helper()
		if got := w.router.rulesOf(app); !reflect.DeepEqual(got, want) {
			t.Errorf("%s has\n     %+v\nwant %+v", app, got, want)
		}
	}
	same("shop", want)

	// No request comes to the new name before its rules do.
	w.router.onSwitch = func() {
		if w.router.to["store"] == "" && !reflect.DeepEqual(w.router.rulesOf("store"), want) {
			t.Error("store is served before it has its rules")
		}
	}
	w.must(w.core.RenameApp(ctx, host, "shop", "store"))
	same("store", want)
	same("shop", rules.Set{})
	w.close()
	w.open()
	same("store", want)
	w.must(w.core.DestroyApp(ctx, host, "store", &syncBuffer{}))
	w.must(w.core.CreateApp(ctx, host, "store"))
	same("store", rules.Set{})
	for action, want := range map[string]string{
		"auth.set": "ada", "allow.add": "203.0.113.0/24, 203.0.113.0/24", "limits.change": "requests=100/s,body=10M",
		"pages.set": "503", "maintenance.on": "",
	} {
		if got := w.noted(action); got != "host: "+want {
			t.Errorf("%s: %q", action, got)
		}
	}
}
