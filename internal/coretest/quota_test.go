package coretest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/latch"
	"github.com/nodeos-dev/gitd/internal/oneoff"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// limited opens a core in which these limits hold.
func (w *world) limited(app, user string, host core.Resources) {
	w.t.Helper()
	w.close()
	w.openWith(func(c *engine.Config) {
		var err, err2 error
		c.Quotas.Host = host
		c.Quotas.App, err = core.ParseQuota(app, core.LimitsOfApp)
		c.Quotas.User, err2 = core.ParseQuota(user, core.LimitsOfUser)
		if err != nil || err2 != nil {
			w.t.Fatal(err, err2)
		}
	})
}

// TestQuotaBeforeTheBuild: what package.json asks for is refused before anything is installed, with what to type; what
// serves goes on.
func TestQuotaBeforeTheBuild(t *testing.T) {
	w := newWorld(t)
	w.pushes(1)
	w.limited("memory=256M", "", core.Resources{})
	built := false
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		m.Resources.MemoryMiB = 512
		if err == nil {
			err = src.Planned(m)
		}
		built = err == nil
		return m, err
	}
	reject, out := w.push(commit(1), commit(2))
	if reject != "shop would have 512 MiB of memory, and may have 256 MiB of memory" || !strings.Contains(out, "`quota shop --memory 512M`") || built {
		t.Errorf("rejected %q, built: %v:\n%s", reject, built, out)
	}
	if v, answer := w.live(); v != 1 || answer != "v1" {
		t.Errorf("v%d answers %q", v, answer)
	}
}

// TestQuotaReplaces: an app that has all that it may have is deployed, restarted and rolled back as before, with a
// release command too: the old and the new machine count as one.
func TestQuotaReplaces(t *testing.T) {
	w := newWorld(t)
	w.limited("memory=128M,machines=1,cpus=1", "", core.Resources{MemoryMiB: 128, CPUs: 1})
	w.withRelease("say", "migrated", "0")
	for n := 1; n <= 3; n++ {
		old := none
		if n > 1 {
			old = commit(n - 1)
		}
		if reject, out := w.push(old, commit(n)); reject != "" {
			t.Fatalf("push %d: %q\n%s", n, reject, out)
		}
	}
	if err := w.core.Redeploy(t.Context(), ada, "shop", core.ByRestart, nil); err != nil {
		t.Error(err)
	}
	if err := w.core.Rollback(t.Context(), ada, "shop", 1, nil); err != nil {
		t.Error(err)
	}
}

// TestQuotaOfCommands: ps:scale, resource, run and volumes:create say what is too much. What runs stays as it is.
func TestQuotaOfCommands(t *testing.T) {
	w := newWorld(t)
	w.pushes(1)
	w.limited("memory=200M,machines=2,disk=100M", "", core.Resources{})
	w.eventually("it is adopted", func() bool { return w.core.Serving("shop") })
	for name, tt := range map[string]struct {
		do   func() error
		want string
	}{
		"scale": {func() error { return w.core.ScaleApp(t.Context(), ada, "shop", []string{"web=3"}, nil) },
			"shop would have 3 machines, and may have 2 machines"},
		"resource": {func() error {
			return w.core.SetResources(t.Context(), ada, "shop", core.Resources{MemoryMiB: 201}, nil)
		},
			"shop would have 201 MiB of memory, and may have 200 MiB of memory"},
		"run": {func() error {
			_, err := w.core.OneOffs.Run(t.Context(), ada, oneoff.Wish{App: "shop", Words: []string{"node", "x"}, Tell: func(string) {}})
			return err
		}, "shop would have 256 MiB of memory, and may have 200 MiB of memory"},
		"volume": {func() error { return w.core.CreateVolume(t.Context(), ada, "shop", "data", 200<<20, "/data", nil) },
			"shop would have 200 MiB of disk, and may have 100 MiB of disk"},
	} {
		err := tt.do()
		if r, ok := errors.AsType[*core.Rejection](err); !ok || r.Reason != tt.want || !strings.Contains(r.Hint, "`quota shop --") {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
	if set, err := w.ledger.Resources(t.Context(), "shop"); err != nil || set != (core.Resources{}) {
		t.Errorf("what was refused is set: %v, %v", set, err)
	}
	if w.driver.count() != 1 {
		t.Errorf("%d machines run", w.driver.count())
	}
}

// TestQuotaGrowth: an app that runs out of memory gets no more by itself than it may have.
func TestQuotaGrowth(t *testing.T) {
	w := newWorld(t)
	w.limited("memory=200M", "", core.Resources{})
	w.driver.behave(starves)
	reject, out := w.push(none, commit(1))
	if !strings.Contains(reject, "would have 256 MiB of memory, and may have 200 MiB") || !strings.Contains(out, "`quota shop --memory 256M`") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
}

// TestQuotaOfJobs: a job that has no place is not run, and the audit and `cron` say why.
func TestQuotaOfJobs(t *testing.T) {
	w := newWorld(t)
	w.limited("machines=1", "", core.Resources{})
	w.withJob(core.OverlapSkip, "say", "cleaned", "0")
	w.push(none, commit(1))
	w.tick(clock)
	w.eventually("the audit says it", func() bool { return len(w.audited()) == 1 })
	const want = "shop would have 2 machines, and may have 1 machine"
	jobs, err := w.core.OneOffs.Jobs(t.Context(), "shop")
	if err != nil || len(jobs) != 1 || jobs[0].Result != want || w.audited()[0] != "cron.end cron.1 "+want || len(w.tasks()) != 0 {
		t.Errorf("%+v, %v; the audit says %q", jobs, err, w.audited())
	}
}

// TestQuotaLastPlace: two apps are pushed at the same time, and there is one place left on the host. Both had passed
// the check before the build.
func TestQuotaLastPlace(t *testing.T) {
	w := newWorld(t)
	w.limited("", "", core.Resources{MemoryMiB: 200})
	var both sync.WaitGroup
	both.Add(2)
	w.build = func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		if err == nil {
			err = src.Planned(m)
		}
		both.Done()
		both.Wait()
		return m, err
	}
	main := core.Command{Ref: "refs/heads/main", Old: none, New: commit(1)}
	shop, blog := w.begin("shop", main), w.begin("blog", main)
	one, _ := shop.end()
	two, _ := blog.end()
	if (one == "") == (two == "") || !strings.Contains(one+two, "the server has no room: ") || w.driver.count() != 1 {
		t.Errorf("rejected %q and %q, %d machines", one, two, w.driver.count())
	}
}

// TestQuotaMachinesWithoutEnd: a person with the role deploy starts commands in a loop, each in a machine of its own,
// as fast as gitd takes them.
func TestQuotaMachinesWithoutEnd(t *testing.T) {
	w := newWorld(t)
	w.pushes(1)
	w.limited("machines=4", "", core.Resources{})
	w.eventually("it is adopted", func() bool { return w.core.Serving("shop") })
	var all []*running
	for range 50 {
		all = append(all, w.run("wait"))
	}
	refused := func() (n int) {
		for _, r := range all {
			if latch.Closed(r.done) {
				n++
			}
		}
		return n
	}
	w.eventually("all but three are refused", func() bool { return refused() == 47 })
	for _, r := range all {
		if latch.Closed(r.done) && !strings.Contains(fmt.Sprint(r.failed), "may have 4 machines") && !strings.Contains(fmt.Sprint(r.failed), "run already") {
			t.Errorf("refused with %v", r.failed)
		}
	}
	w.eventually("four machines run", func() bool { return w.driver.count() == 4 })
	for _, r := range all {
		r.end()
		<-r.done
	}
}

// TestQuotaAfterRestart: the host comes back with less memory. The oldest apps come up, whichever is the fastest, and
// the others say why they do not. When there is room again, they come.
func TestQuotaAfterRestart(t *testing.T) {
	w := newWorld(t)
	for i, app := range []string{"zoo", "shop", "blog"} { // the oldest first
		if reject, _ := w.begin(app, core.Command{Ref: "refs/heads/main", Old: none, New: commit(i + 1)}).end(); reject != "" {
			t.Fatal(reject)
		}
	}
	w.close()
	for _, m := range w.driver.all() {
		w.driver.Stop(t.Context(), m.ID, 0) //nolint:errcheck // it cannot fail
	}
	w.limited("", "", core.Resources{MemoryMiB: 300})
	w.eventually("the two oldest serve", func() bool { return w.core.Serving("zoo") && w.core.Serving("shop") })
	s, err := w.core.Status(t.Context(), "blog")
	if err != nil || s.State != fleet.Down ||
		!strings.Contains(s.Reason, "it does not start: the server has no room: blog needs 128 MiB of memory more, and 44 MiB of memory are left") {
		t.Errorf("%+v, %v", s, err)
	}
	if err := w.core.StopApp(t.Context(), ada, "zoo", nil); err != nil {
		t.Fatal(err)
	}
	w.eventually("there is room", func() bool { return w.core.Serving("blog") })
}

// TestQuotaOfUser: an app is that of whoever made it. Their apps count together, also by the number, and under the
// person's new name.
func TestQuotaOfUser(t *testing.T) {
	w := newWorld(t)
	w.limited("", "apps=2", core.Resources{})
	sam, svc := core.Actor{Name: "sam"}, people.NewService(w.ledger)
	if _, err := svc.AddUser(t.Context(), core.Host(), "sam", false); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := w.core.CreateApp(t.Context(), sam, fmt.Sprint("shop", i)); err != nil {
			t.Fatal(err)
		}
	}
	err := w.core.CreateApp(t.Context(), sam, "third")
	if r, ok := errors.AsType[*core.Rejection](err); !ok || r.Reason != "sam has made 2 apps, and may make no more" || !strings.Contains(r.Hint, "`users:quota sam --apps 3`") {
		t.Errorf("%v", err)
	}
	if err := w.core.CreateApp(t.Context(), core.Host(), "third"); err != nil {
		t.Error(err)
	}
	if _, err := svc.RenameUser(t.Context(), core.Host(), "sam", "samuel"); err != nil {
		t.Fatal(err)
	}
	if a, err := w.ledger.App(t.Context(), "shop1"); err != nil || a.Owner != "samuel" {
		t.Errorf("%+v, %v", a, err)
	}
	all, err := w.core.Quotas.OfUser(t.Context(), "samuel")
	if err != nil || all[len(all)-1].Has != 2 || all[len(all)-1].Most != 2 {
		t.Errorf("%+v, %v", all, err)
	}
	change := func(words string) func(core.Quota) error {
		return func(q core.Quota) error { return q.Set(core.LimitApps, words) }
	}
	if err := w.core.Quotas.ChangeUser(t.Context(), ada, "samuel", change("3")); err != nil {
		t.Fatal(err)
	}
	if err := w.core.CreateApp(t.Context(), core.Actor{Name: "samuel"}, "fourth"); err != nil {
		t.Error(err)
	}
	entries, err := w.ledger.Entries(t.Context(), "", 10)
	if err != nil || !strings.Contains(fmt.Sprint(entries), "quota.change") {
		t.Errorf("%+v, %v", entries, err)
	}
}
