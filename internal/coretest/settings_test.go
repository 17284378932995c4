package coretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestEnvironment: what people set overrides what the repository says, and what gitd promises overrides both. The next
// release has the settings of that moment, whatever its commit is.
func TestEnvironment(t *testing.T) {
	w := newWorld(t)
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		m.Env = map[string]string{"WHICH": "server.js", "COLOUR": "red", "PORT": "3000", "NODE_ENV": "test"}
		m.Resources = core.Resources{MemoryMiB: 200}
		return m, err
	}
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	ctx := t.Context()
	if err := w.ledger.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"COLOUR": "blue", "KEY": "a\nb", "USER": "nobody"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.ledger.SetResources(ctx, "shop", core.Resources{MemoryMiB: 300, CPUs: 2}); err != nil {
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
	if before.Resources != (core.Resources{MemoryMiB: 200, CPUs: 1}) || after.Resources != (core.Resources{MemoryMiB: 300, CPUs: 2}) {
		t.Errorf("resources %+v, then %+v", before.Resources, after.Resources)
	}
}

// config changes the config of shop and returns what was printed.
func (w *world) config(c apps.ConfigChange) (string, error) {
	var out strings.Builder
	err := w.core.SetConfig(w.t.Context(), core.Actor{Name: "ada"}, "shop", c, &out)
	return out.String(), err
}

func (w *world) vars() map[string]string {
	w.t.Helper()
	vars, err := w.ledger.Vars(w.t.Context(), "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	return vars
}

const hunter = "hunter2"

// TestConfigMakesARelease: a change of config makes a release of the same image with the new values, and only the
// machine learns a value.
func TestConfigMakesARelease(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	out, err := w.config(apps.ConfigChange{Set: map[string]string{"TOKEN": hunter, "A": "1"}})
	if err != nil || !strings.Contains(out, "Config: set A, TOKEN") || !strings.Contains(out, "v2 is live") {
		t.Fatalf("%v\n%s", err, out)
	}
	if v, answer := w.live(); v != 2 || answer != "v2" {
		t.Errorf("v%d answers %q", v, answer)
	}
	if spec := w.driver.specs[1]; spec.Env["TOKEN"] != hunter || spec.Disks[1] != w.driver.specs[0].Disks[1] {
		t.Errorf("the machine got %v on %v", spec.Env, spec.Disks)
	}
	r, err := w.ledger.Release(t.Context(), "shop", 2)
	if err != nil || r.Trigger != core.ByConfig || r.Pusher != "ada" {
		t.Errorf("%+v, %v", r, err)
	}
	out, err = w.config(apps.ConfigChange{Unset: []string{"A"}, NoRestart: true})
	if v, _ := w.live(); err != nil || v != 2 || !strings.Contains(out, "from the next release on") {
		t.Errorf("v%d, %v\n%s", v, err, out)
	}
	if _, has := w.vars()["A"]; has {
		t.Error("A is still there")
	}
	entries, err := w.ledger.Entries(t.Context(), "shop", 0)
	text, _ := w.builds.Text("shop", 2)
	for _, said := range []string{fmt.Sprint(entries), out, text, fmt.Sprintf("%+v", r)} {
		if strings.Contains(said, hunter) {
			t.Errorf("the value is told: %s", said)
		}
	}
	if err != nil || !strings.Contains(fmt.Sprint(entries), "set A, TOKEN") {
		t.Errorf("the audit: %v, %v", entries, err)
	}
}

// TestFailedConfigIsTakenBack: with a value that keeps the app from starting, what serves goes on, and could be started
// again. What somebody else has set in the meantime stays.
func TestFailedConfigIsTakenBack(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	if _, err := w.config(apps.ConfigChange{Set: map[string]string{"KEPT": "1", "CHANGED": "before", "GONE": "before"}}); err != nil {
		t.Fatal(err)
	}
	w.driver.app = func(m *fakeMachine) {
		if err := w.ledger.SetVars(t.Context(), "shop", core.VarChange{Set: map[string]string{"OTHER": "someone's", "TAKEN": "someone's"}}); err != nil {
			t.Error(err)
		}
		m.watch(core.Event{Kind: core.EventExited, Detail: "exit status 1"})
	}
	out, err := w.config(apps.ConfigChange{
		Set: map[string]string{"CHANGED": "after", "NEW": "after", "TAKEN": "after"}, Unset: []string{"GONE", "NEVER"},
	})
	if err == nil || !strings.Contains(out, "the change was taken back") {
		t.Fatalf("%v\n%s", err, out)
	}
	want := map[string]string{"KEPT": "1", "CHANGED": "before", "GONE": "before", "OTHER": "someone's", "TAKEN": "someone's"}
	if got := w.vars(); !maps.Equal(got, want) {
		t.Errorf("config is %v, want %v", got, want)
	}
	if v, answer := w.live(); v != 2 || answer != "v2" {
		t.Errorf("v%d answers %q", v, answer)
	}
	var text strings.Builder
	err = w.core.SetResources(t.Context(), core.Actor{Name: "ada"}, "shop", core.Resources{MemoryMiB: 512}, &text)
	if r, _ := w.ledger.Resources(t.Context(), "shop"); err == nil || r != (core.Resources{}) || !strings.Contains(text.String(), "taken back") {
		t.Errorf("resources %+v, %v\n%s", r, err, text.String())
	}
}

// TestConfigForBuilds: a build sees what is marked for it and nothing else. A change of that says what to type, because
// the release that it makes has the same image; and a release that fails takes the mark back too.
func TestConfigForBuilds(t *testing.T) {
	w := newWorld(t)
	var seen []map[string]string
	build := w.build
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		seen = append(seen, src.Vars)
		return build(ctx, src, r)
	}
	w.push(none, commit(1))
	yes, no := true, false
	const advice = "TOKEN: builds see this change from the next push on; `ps:rebuild shop` builds what is live again"
	for i, step := range []struct {
		change apps.ConfigChange
		told   bool
	}{
		{apps.ConfigChange{Set: map[string]string{"A": "1"}}, false},
		{apps.ConfigChange{Set: map[string]string{"TOKEN": hunter}, Build: &yes}, true},
		{apps.ConfigChange{Set: map[string]string{"TOKEN": hunter, "A": "2"}}, false},
		{apps.ConfigChange{Set: map[string]string{"TOKEN": "other"}, NoRestart: true}, true},
		{apps.ConfigChange{Set: map[string]string{"TOKEN": "other"}, Build: &no, NoRestart: true}, true},
		{apps.ConfigChange{Set: map[string]string{"TOKEN": hunter}, Build: &yes, NoRestart: true}, true},
	} {
		if out, err := w.config(step.change); err != nil || strings.Contains(out, advice) != step.told || strings.Contains(out, hunter) {
			t.Errorf("change %d: %v\n%s", i, err, out)
		}
	}
	w.push(commit(1), commit(2))
	want := []map[string]string{{}, {"TOKEN": hunter}}
	entries, err := w.ledger.Entries(t.Context(), "shop", 0)
	if audit := fmt.Sprint(entries); err != nil || !strings.Contains(audit, "set TOKEN (builds see it)") || !strings.Contains(audit, "set TOKEN (builds do not see it)") {
		t.Errorf("the audit: %s, %v", audit, err)
	}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("builds saw %v, want %v", seen, want)
	}

	w.driver.app = func(m *fakeMachine) { m.watch(core.Event{Kind: core.EventExited, Detail: "exit status 1"}) }
	if _, err := w.config(apps.ConfigChange{Set: map[string]string{"A": "3", "TOKEN": "x"}, Build: &no}); err == nil {
		t.Fatal("it is live")
	}
	marked, err := w.ledger.BuildVars(t.Context(), "shop")
	if err != nil || !maps.Equal(marked, want[1]) {
		t.Errorf("builds see %v, %v", marked, err)
	}
}

// TestConfigOfWhatDoesNotRun: a change of config boots nothing if the app does not run, and a locked app refuses it.
func TestConfigOfWhatDoesNotRun(t *testing.T) {
	w := newWorld(t)
	ada := core.Actor{Name: "ada"}
	if err := w.core.CreateApp(t.Context(), ada, "shop"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out, err := w.config(apps.ConfigChange{Set: map[string]string{"A": "1"}})
		if err != nil || !strings.Contains(out, "nothing runs now") {
			t.Fatalf("%v\n%s", err, out)
		}
		w.push(none, commit(1))
		if err := w.core.StopApp(t.Context(), ada, "shop", nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.driver.specs) != 2 || w.driver.count() != 0 {
		t.Errorf("%d machines were booted, %d run", len(w.driver.specs), w.driver.count())
	}
	if err := w.core.LockApp(t.Context(), ada, "shop", "sale"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.config(apps.ConfigChange{Set: map[string]string{"A": "2"}}); err == nil || w.vars()["A"] != "1" {
		t.Errorf("a locked app: %v, %v", err, w.vars())
	}
}

func TestDomainsReachTheFrontDoor(t *testing.T) {
	w := newWorld(t)
	ada, ctx := core.Actor{Name: "ada"}, t.Context()
	w.push(none, commit(1))
	if err := w.core.AddDomain(ctx, ada, "shop", "www.example.org"); err != nil {
		t.Fatal(err)
	}
	check := func(what, app string, want ...string) {
		if got := w.router.names[app]; !slices.Equal(got, want) {
			t.Errorf("%s: %s has %v, want %v", what, app, got, want)
		}
	}
	check("added", "shop", "www.example.org")
	for _, host := range []string{"blog.localhost", "localhost", "../etc"} {
		if err := w.core.AddDomain(ctx, ada, "shop", host); err == nil {
			t.Errorf("%s was added", host)
		}
	}
	w.close()
	w.open()
	check("after a start", "shop", "www.example.org")
	if err := w.core.RenameApp(ctx, ada, "shop", "store"); err != nil {
		t.Fatal(err)
	}
	check("renamed", "store", "www.example.org")
	check("renamed", "shop")
	if err := w.core.RemoveDomain(ctx, ada, "store", "www.example.org"); err != nil {
		t.Fatal(err)
	}
	check("removed", "store")
	if err := w.core.RemoveDomain(ctx, ada, "store", "www.example.org"); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
}

// TestResourcesOfTheHost: `resource shop --cpus 64` was taken on a host with two.
func TestResourcesOfTheHost(t *testing.T) {
	w := newWorld(t)
	w.close()
	w.openWith(func(c *engine.Config) { c.Capacity = core.Resources{MemoryMiB: 4096, CPUs: 2} })
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Fatalf("%s:\n%s", reject, out)
	}
	for _, r := range []core.Resources{{CPUs: 64}, {MemoryMiB: 8192}} {
		err := w.core.SetResources(t.Context(), core.Actor{Name: "ada"}, "shop", r, io.Discard)
		if set, _ := w.ledger.Resources(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), "more than the host has") || set != (core.Resources{}) {
			t.Errorf("%s: %v; set is %+v", r, err, set)
		}
	}
	if err := w.core.SetResources(t.Context(), core.Actor{Name: "ada"}, "shop", core.Resources{CPUs: 2}, io.Discard); err != nil {
		t.Error(err)
	}
}

// TestReadsOfSecretsAreInTheAudit: who had read a secret left no trace.
func TestReadsOfSecretsAreInTheAudit(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	ctx, by := t.Context(), core.Actor{Name: "ada"}
	if err := w.ledger.SetVars(ctx, "shop", core.VarChange{Set: map[string]string{"TOKEN": "s3cret", "URL": "x"}}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"TOKEN", "", "NONE"} {
		vars, err := w.core.ReadConfig(ctx, by, "shop", name)
		if (err != nil) != (name == "NONE") || name == "TOKEN" && vars["TOKEN"] != "s3cret" || name == "" && len(vars) != 2 {
			t.Errorf("%q: %v, %v", name, vars, err)
		}
	}
	list, err := w.ledger.Entries(ctx, "shop", 2)
	if err != nil || len(list) != 2 || list[0].Action != "config.read" || list[0].Detail != "TOKEN, URL" || list[1].Detail != "TOKEN" || list[1].Actor != "ada" {
		t.Errorf("%+v, %v", list, err)
	}
}
