package quota

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// books is a ledger in which the apps shop and blog are sam's, and base the host's.
type books struct {
	Ledger
	app, user core.Quota
}

func (b books) App(_ context.Context, name string) (core.App, error) {
	if name == "base" {
		return core.App{Name: name}, nil
	}
	return core.App{Name: name, Owner: "sam"}, nil
}

func (b books) AppQuota(context.Context, string) (core.Quota, error)  { return b.app, nil }
func (b books) UserQuota(context.Context, string) (core.Quota, error) { return b.user, nil }
func (b books) Owned(context.Context, string) ([]string, error)       { return []string{"blog", "shop"}, nil }

func gate(t *testing.T, host core.Resources, app, user string) *Gate {
	t.Helper()
	ofApp, err := core.ParseQuota(app, core.LimitsOfApp)
	ofUser, err2 := core.ParseQuota(user, core.LimitsOfUser)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return New(Config{Limits: Limits{Host: host}, Ledger: books{app: ofApp, user: ofUser}})
}

// machines is a driver of machines that do nothing.
type machines struct{ fleet.Driver }

func (machines) Boot(context.Context, core.MachineSpec, core.Watch) (core.Machine, error) {
	return core.Machine{}, nil
}
func (machines) Stop(context.Context, string, time.Duration) error { return nil }

// boot boots a machine; without a process, it is a command beside the app.
func boot(g *Gate, app, id, process string, mib int) error {
	s := core.MachineSpec{ID: id, App: app, Share: core.Share{Resources: core.Resources{MemoryMiB: mib, CPUs: 1}}}
	if process != "" {
		s.Process = core.ProcessID{Type: process, Number: 1}
	}
	_, err := g.Drive(machines{}).Boot(context.Background(), s, func(core.Event) {})
	return err
}

// TestEnter: what may boot after what. Each step is "APP ID PROCESS MIB", "stop ID", "keep APP PROCESS" or "give APP
// PROCESS"; the last one is refused with the words, or goes if there are none.
func TestEnter(t *testing.T) {
	const one = "shop a web 128; keep shop web"
	for name, tt := range map[string]struct {
		app, user string
		host      core.Resources
		steps     string
		want      string // of the reason and the hint; empty: nothing is refused
	}{
		"nothing is limited":              {steps: one + "; shop b web 1024; shop c - 4096"},
		"memory of an app":                {app: "memory=256M", steps: one + "; shop b worker 129", want: "shop would have 257 MiB of memory, and may have 256 MiB of memory"},
		"the line to type":                {app: "memory=256M", steps: one + "; shop b worker 129", want: "`quota shop --memory 257M`"},
		"as much as there may be":         {app: "memory=256M", steps: one + "; shop b worker 128"},
		"a machine takes another's place": {app: "memory=128M,machines=1,cpus=1", steps: one + "; shop b web 128"},
		"a larger one counts":             {app: "memory=128M", steps: one + "; shop b web 129", want: "129 MiB"},
		"the old one is gone":             {app: "memory=128M", steps: one + "; shop b web 64; stop a; shop c - 64"},
		"the old one is there":            {app: "memory=128M", steps: one + "; shop b web 64; shop c - 64", want: "192 MiB"},
		"a command is one more":           {app: "machines=1", steps: one + "; shop b - 128", want: "shop would have 2 machines, and may have 1 machine"},
		"what was stopped makes room":     {app: "machines=1", steps: "shop a - 128; stop a; shop b - 128"},
		"a lost machine's place is kept":  {app: "machines=1", steps: one + "; stop a; shop b - 128", want: "2 machines"},
		"a process that was given up":     {app: "machines=1", steps: one + "; stop a; give shop web; shop b - 128"},
		"given up, and still there":       {app: "machines=1", steps: one + "; give shop web; shop b - 128", want: "2 machines"},
		"another app's is another matter": {app: "machines=1", steps: one + "; blog b web 128"},
		"the apps of a person together":   {user: "machines=1", steps: one + "; blog b web 128", want: "the apps of sam together would have 2 machines, and may have 1 machine"},
		"the line for a person":           {user: "machines=1", steps: one + "; blog b web 128", want: "`users:quota sam --machines 2`"},
		"the host's own app is nobody's":  {user: "machines=1", steps: one + "; base b web 128"},
		"less than is printed":            {host: core.Resources{}, app: "memory=1G", steps: "shop a web 1025", want: "a little more than 1 GiB of memory"},
		"no machine at all":               {app: "machines=0", steps: "shop a web 128", want: "1 machine, and may have 0 machines"},
		"processors":                      {app: "cpus=1", steps: one + "; shop b worker 64", want: "2 CPUs, and may have 1 CPU"},
		"the host's memory":               {host: core.Resources{MemoryMiB: 200}, steps: one + "; base b web 128", want: "the server has no room: base needs 128 MiB of memory more, and 72 MiB of memory are left"},
		"the host's processors":           {host: core.Resources{CPUs: 1}, steps: one + "; base b web 128", want: "1 CPU more, and 0 CPUs are left"},
		"the host while one is replaced":  {host: core.Resources{MemoryMiB: 128}, steps: one + "; shop b web 128"},
	} {
		g := gate(t, tt.host, tt.app, tt.user)
		var err error
		for step := range strings.SplitSeq(tt.steps, "; ") {
			if err != nil {
				t.Errorf("%s: %v before %q", name, err, step)
			}
			err = do(g, strings.Fields(step))
		}
		said := ""
		if r, ok := errors.AsType[*core.Rejection](err); ok {
			said = r.Reason + " " + r.Hint
		}
		if (err == nil) != (tt.want == "") || !strings.Contains(said, tt.want) {
			t.Errorf("%s: %v: %s; want %q", name, err, said, tt.want)
		}
	}
}

func do(g *Gate, words []string) error {
	switch words[0] {
	case "stop":
		return g.Drive(machines{}).Stop(context.Background(), words[1], 0)
	case "keep":
		g.Keep(words[1], core.ProcessID{Type: words[2], Number: 1})
		return nil
	case "give":
		g.Give(words[1], core.ProcessID{Type: words[2], Number: 1})
		return nil
	}
	var mib int
	fmt.Sscan(words[3], &mib) //nolint:errcheck // it is the test's own
	return boot(g, words[0], words[1], strings.Trim(words[2], "-"), mib)
}

// TestLastPlace: many ask for the last places at the same time, as two pushes or a loop of `run` can. Each check that
// is not one step with what it allows lets more of them through.
func TestLastPlace(t *testing.T) {
	g := gate(t, core.Resources{}, "machines=3", "")
	var all sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for i := range 200 {
		all.Go(func() {
			if boot(g, "shop", fmt.Sprint("m", i), "", 64) == nil {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if passed != 3 {
		t.Errorf("%d machines have 3 places", passed)
	}
}

// TestCheck: a whole formation is compared before anything is booted. What an app has now makes room for it, and less
// than it has is never refused.
func TestCheck(t *testing.T) {
	web, worker := core.ProcessID{Type: "web", Number: 1}, core.ProcessID{Type: "worker", Number: 1}
	g := gate(t, core.Resources{MemoryMiB: 512}, "memory=256M", "")
	g.cfg.Ledger = books{} // it may have all now
	for id, p := range map[string]core.ProcessID{"a": web, "b": worker} {
		if err := boot(g, "shop", id, p.Type, 256); err != nil {
			t.Fatal(err)
		}
		g.Keep("shop", p)
	}
	g.cfg.Ledger = books{app: core.Quota{core.LimitMemory: 256 << 20}} // and less from now on
	size := func(mib int) map[core.ProcessID]core.Resources {
		return map[core.ProcessID]core.Resources{web: {MemoryMiB: mib}, worker: {MemoryMiB: mib}}
	}
	for name, tt := range map[string]struct {
		processes []core.ProcessID
		sizes     map[core.ProcessID]core.Resources
		ok        bool
	}{
		"as before":            {[]core.ProcessID{web, worker}, size(256), false},
		"more":                 {[]core.ProcessID{web, worker}, size(257), false},
		"less, but too much":   {[]core.ProcessID{web, worker}, size(200), true},
		"one of them":          {[]core.ProcessID{web}, size(256), true},
		"one that is there":    {[]core.ProcessID{web}, nil, true},
		"what it has, as now":  {[]core.ProcessID{web, worker}, nil, false},
		"what it may have now": {[]core.ProcessID{web, worker}, size(128), true},
	} {
		if err := g.Check(t.Context(), "shop", tt.processes, tt.sizes); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBeside: when the host is full, the apps that are replaced take turns, and none waits for one that waits.
func TestBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := gate(t, core.Resources{MemoryMiB: 1024}, "", "")
		for _, app := range []string{"shop", "blog"} {
			for _, p := range []string{"web", "worker"} {
				if err := boot(g, app, app+p, p, 256); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, p := range []string{"web", "worker"} { // shop has begun, and goes on
			if err := boot(g, "shop", "next"+p, p, 256); err != nil {
				t.Fatal(err)
			}
		}
		begun := make(chan error, 1)
		go func() { begun <- boot(g, "blog", "nextblog", "web", 256) }()
		synctest.Wait()
		select {
		case err := <-begun:
			t.Fatalf("blog did not wait: %v", err)
		default:
		}
		for _, id := range []string{"shopweb", "shopworker"} {
			g.leave(id)
		}
		if err := <-begun; err != nil {
			t.Error(err)
		}
		if err := boot(g, "shop", "third", "web", 256); err == nil || !strings.Contains(err.Error(), "at once") {
			t.Errorf("nobody ended, and shop was told %v", err)
		}
	})
}

// TestReserve: places go to those that ask first, and are kept for them.
func TestReserve(t *testing.T) {
	g := gate(t, core.Resources{MemoryMiB: 256}, "", "")
	web, size := core.FirstWeb, core.Resources{MemoryMiB: 128, CPUs: 1}
	for app, want := range map[string]bool{"shop": true, "blog": true} {
		g.Keep(app, web)
		if err := g.Reserve(t.Context(), app, web, size); (err == nil) != want {
			t.Errorf("%s: %v", app, err)
		}
	}
	g.Keep("base", web)
	if err := g.Reserve(t.Context(), "base", web, size); err == nil {
		t.Error("three have two places")
	}
	if err := boot(g, "base", "x", "web", 128); err == nil {
		t.Error("a place that is kept for another app was taken")
	}
	if err := boot(g, "shop", "y", "web", 128); err != nil {
		t.Error(err)
	}
}

// TestRename: what an app has stays its own.
func TestRename(t *testing.T) {
	g := gate(t, core.Resources{}, "machines=1", "")
	if err := boot(g, "shop", "a", "web", 64); err != nil {
		t.Fatal(err)
	}
	g.Rename("shop", "blog")
	if err := boot(g, "blog", "b", "", 64); err == nil {
		t.Error("a new name made room")
	}
	g.leave("a")
	if err := boot(g, "blog", "b", "", 64); err != nil {
		t.Error(err)
	}
}
