package backup

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/progress"
)

func day(text string) time.Time {
	t, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return t
}

// TestKeep: of each period in which there are backups the newest stays, and the newest of all whatever is said.
func TestKeep(t *testing.T) {
	var nights []time.Time
	for n := range 60 {
		nights = append(nights, day("2026-03-31 02:00").AddDate(0, 0, -n))
	}
	for keep, want := range map[string]string{
		"1":     "03-31",
		"3":     "03-31 03-30 03-29",
		"2d":    "03-31 03-30",
		"2d,2w": "03-31 03-30 03-29",
		"3w":    "03-31 03-29 03-22",
		"2m,1d": "03-31 02-28",
		"5y":    "03-31",
		"24h":   "03-31 03-30 03-29 03-28 03-27 03-26 03-25 03-24 03-23 03-22 03-21 03-20 03-19 03-18 03-17 03-16 03-15 03-14 03-13 03-12 03-11 03-10 03-09 03-08",
	} {
		k, err := ParseKeep(keep)
		if err != nil {
			t.Fatal(err)
		}
		gone := map[time.Time]bool{}
		for _, d := range k.Dispensable(nights) {
			gone[d] = true
		}
		var left []string
		for _, n := range nights {
			if !gone[n] {
				left = append(left, n.Format("01-02"))
			}
		}
		if got := strings.Join(left, " "); got != want {
			t.Errorf("%s: %s, want %s", keep, got, want)
		}
	}
	for _, wrong := range []string{"", "d", "0d", "-1d", "7x", "7d,7d", "7d 4w", "99999d", "7dd"} {
		if _, err := ParseKeep(wrong); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}

// planning is a gitd without apps, of whose schedules each is due a moment later.
func planning(t *testing.T) (*Backups, *ledger.Ledger, string) {
	t.Helper()
	state, dir := core.StateDir(t.TempDir()), t.TempDir()
	if err := state.Create(); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), state.Ledger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	log := slog.New(slog.DiscardHandler)
	return New(Config{
		State: state, Ledger: l, Trail: audit.New(l, log), Log: log, Version: "v1",
		Next: func(_ string, after time.Time) (time.Time, error) { return after.Add(time.Millisecond), nil },
	}), l, dir
}

// TestPlan: a backup is made when it is due, is whole, has its name then and not before, and the old ones go.
func TestPlan(t *testing.T) {
	b, l, dir := planning(t)
	for _, name := range []string{"gitd-20200101T000000Z.tar", "gitd-20200102T000000Z.tar.part", "mine.tar", "gitd-x.tar"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	plan := core.BackupPlan{Schedule: "* * * * *", Dir: dir, Keep: "1"}
	if err := b.SetPlan(t.Context(), core.Host(), &plan); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	next := l.NextChange()
	go func() { done <- b.KeepTime(ctx) }()
	for {
		p, err := b.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if p.Last.After(plan.Last) {
			break
		}
		<-next
		next = l.NextChange()
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	all, err := List(dir)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %v", all, err)
	}
	info, err := os.Stat(all[0].Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	text, err := os.ReadFile(all[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(t.Context(), bytes.NewReader(text), progress.NewReport(nil)); err != nil {
		t.Error(err)
	}
	for name, there := range map[string]bool{"gitd-20200102T000000Z.tar.part": false, "mine.tar": true, "gitd-x.tar": true} {
		if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != there {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlanFails: a planned backup that fails leaves no file, and says why: in the plan, and in the audit.
func TestPlanFails(t *testing.T) {
	b, l, dir := planning(t)
	plan := core.BackupPlan{Schedule: "* * * * *", Dir: dir, Keep: "1"}
	if err := b.SetPlan(t.Context(), core.Host(), &plan); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	b.planned(t.Context(), plan)
	p, err := b.Plan(t.Context())
	if err != nil || !strings.Contains(p.Problem, "no such file") {
		t.Errorf("%+v, %v", p, err)
	}
	entries, err := l.Entries(t.Context(), "", 1)
	if err != nil || len(entries) != 1 || entries[0].Action != "backup.failed" {
		t.Errorf("%+v, %v", entries, err)
	}
	for _, wrong := range []core.BackupPlan{
		{Schedule: "x", Dir: "relative", Keep: "7d"}, {Schedule: "x", Dir: string(b.cfg.State) + "/x", Keep: "7d"},
		{Schedule: "x", Dir: dir, Keep: "7d"}, {Schedule: "x", Dir: "/tmp", Keep: "all"},
	} {
		if err := b.SetPlan(t.Context(), core.Host(), &wrong); err == nil {
			t.Errorf("%+v was taken", wrong)
		}
	}
}
