package nodeapp

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nodeos-dev/gitd/internal/core"
)

func planJobs(pkg, app string) (Plan, error) {
	repo := fstest.MapFS{"server.js": {}, "clean.js": {}, "package.json": {Data: []byte(pkg)}}
	if app != "" {
		repo["app.json"] = &fstest.MapFile{Data: []byte(app)}
	}
	return MakePlan(repo, "")
}

func TestJobs(t *testing.T) {
	p, err := planJobs(`{"scripts": {"clean": "node clean.js"}, "nodeos": {"cron": [
		{"schedule": "*/5 * * * *", "command": "npm run clean -- all"},
		{"schedule": "TZ=Europe/Berlin 0 3 * * *", "command": "node clean.js", "overlap": "replace"}]}}`,
		`{"cron": [{"schedule": "@daily", "command": "node other.js"}]}`)
	if err != nil || len(p.Jobs) != 2 {
		t.Fatalf("%+v, %v", p.Jobs, err)
	}
	if j := p.Jobs[0]; j.Overlap != core.OverlapSkip || j.Zone != "" || leavesOf(j.Found) != "node clean.js all" {
		t.Errorf("%+v, runs %s", j.CronJob, leavesOf(j.Found))
	}
	if j := p.Jobs[1]; j.Overlap != core.OverlapReplace || j.Zone != "Europe/Berlin" || j.Schedule != "0 3 * * *" {
		t.Errorf("%+v", j.CronJob)
	}
	if all := strings.Join(p.Warnings, "\n"); !strings.Contains(all, "app.json: cron is ignored: package.json has nodeos.cron") {
		t.Errorf("warnings:\n%s", all)
	}
	// As Dokku has it.
	p, err = planJobs(`{}`, `{"cron": [{"schedule": "@daily", "command": "node clean.js", "concurrency_policy": "forbid", "maintenance": true}]}`)
	if err != nil || len(p.Jobs) != 1 || p.Jobs[0].Overlap != core.OverlapSkip {
		t.Fatalf("%+v, %v", p.Jobs, err)
	}
	if all := strings.Join(p.Warnings, "\n"); !strings.Contains(all, "app.json: cron[0].maintenance is unknown and ignored") {
		t.Errorf("warnings:\n%s", all)
	}
}

// TestBadJobs: a job that could not run is refused when it is pushed, and not at three in the night.
func TestBadJobs(t *testing.T) {
	for job, want := range map[string]string{
		`{"schedule": "61 * * * *", "command": "node x.js"}`:                        "package.json: nodeos.cron[0].schedule is \"61 * * * *\": ",
		`{"schedule": "0 0 31 2 *", "command": "node x.js"}`:                        "there is no such time",
		`{"schedule": "* * * * *", "timezone": "Mars/Base", "command": "node x"}`:   "there is no time zone",
		`{"schedule": "* * * * *"}`:                                                 "package.json: nodeos.cron[0].command is ",
		`{"schedule": "* * * * *", "command": "node x.js", "overlap": "sometimes"}`: "package.json: nodeos.cron[0].overlap is \"sometimes\"",
		`{"schedule": "* * * * *", "command": "python x.py"}`:                       "cron.1: ",
		`{"schedule": "* * * * *", "command": "node x.js | node y.js"}`:             "cron.1: ",
		`"* * * * *"`: "package.json: nodeos.cron[0] is",
	} {
		_, err := planJobs(`{"nodeos": {"cron": [`+job+`]}}`, "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", job, err, want)
		}
	}
}
