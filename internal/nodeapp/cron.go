package nodeapp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
	"github.com/nodeos-dev/gitd/internal/schedule"
)

// Jobs are what an app has on a schedule.
type Jobs []Job

// Job is one of them, before the programs in its command are found.
type Job struct {
	core.CronJob
	command.Found
}

// overlaps are the words for core.Overlap, of gitd and of Dokku (concurrency_policy).
var overlaps = map[string]core.Overlap{
	"": core.OverlapSkip, "skip": core.OverlapSkip, "forbid": core.OverlapSkip, "allow": core.OverlapAllow, "replace": core.OverlapReplace,
}

// parseJobs reads a list of jobs; raw may be empty. What cannot be read is refused, since a job that never runs is not
// missed before it is needed.
func parseJobs(raw json.RawMessage, file, list string, warnings *[]string) ([]core.CronJob, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	bad := func(name string, raw json.RawMessage, hint string) error {
		return core.Reject(fmt.Sprintf("%s: %s is %s", file, name, shorten(string(raw))), hint)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || len(all) > core.MaxCronJobs {
		return nil, bad(list, raw, fmt.Sprintf(`it is a list of at most %d jobs such as {"schedule": "*/5 * * * *", "command": "node clean.js"}`, core.MaxCronJobs))
	}
	var jobs []core.CronJob
	for i, raw := range all {
		name := fmt.Sprintf("%s[%d]", list, i)
		o, _, err := parseObject(raw)
		if err != nil {
			return nil, bad(name, raw, `a job is an object such as {"schedule": "*/5 * * * *", "command": "node clean.js"}`)
		}
		j, err := o.job(file, name, bad)
		if err != nil {
			return nil, err
		}
		for _, w := range o.unknown(name, "schedule", "command", "timezone", "overlap", "concurrency_policy", "id") {
			*warnings = append(*warnings, strings.Replace(w, PackageFile, file, 1))
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// job reads one job of a file.
func (o object) job(file, name string, bad func(name string, raw json.RawMessage, hint string) error) (core.CronJob, error) {
	j := core.CronJob{Command: strings.TrimSpace(o.text("command")), Zone: o.text("timezone")}
	var zone string
	if j.Schedule, zone = schedule.Split(strings.TrimSpace(o.text("schedule"))); zone != "" {
		j.Zone = zone
	}
	if err := schedule.Check(j.Schedule, j.Zone); err != nil {
		return j, core.Reject(fmt.Sprintf("%s: %s.schedule is %s: %v", file, name, shorten(string(o["schedule"])), err),
			`use five fields as in a crontab: "0 3 * * *" is every day at three, UTC unless "timezone" says another`)
	}
	if j.Command == "" {
		return j, bad(name+".command", o["command"], `use a command such as "node clean.js"`)
	}
	var ok bool
	if j.Overlap, ok = overlaps[o.text("overlap")+o.text("concurrency_policy")]; !ok {
		return j, bad(name+".overlap", o["overlap"], `use "skip", "allow" or "replace"`)
	}
	return j, nil
}

// readAppCron takes the jobs of app.json, unless package.json has its own.
func (s *Settings) readAppCron(b []byte, warnings *[]string) error {
	o, _, err := parseObject(b)
	if err != nil {
		return nil //nolint:nilerr // appHealth says so
	}
	jobs, err := parseJobs(o["cron"], appJSONFile, "cron", warnings)
	switch {
	case err != nil:
		return err
	case len(s.Cron) > 0 && len(jobs) > 0:
		*warnings = append(*warnings, "app.json: cron is ignored: package.json has nodeos.cron")
	case len(s.Cron) == 0:
		s.Cron = jobs
	}
	return nil
}

// followJobs follows the commands of the jobs.
func followJobs(finder command.Finder, jobs []core.CronJob) (all Jobs, err error) {
	finder.Whole, finder.Only = true, true
	for i, j := range jobs {
		job := Job{CronJob: j}
		if job.Found, err = finder.Text("cron", j.Command); err != nil {
			return nil, ofJob(i, err)
		}
		for i, w := range job.Warnings {
			job.Warnings[i] = "cron: " + w
		}
		all = append(all, job)
	}
	return all, nil
}

// ofJob says of the refusal of a command of which job it is.
func ofJob(i int, err error) error {
	if r, ok := errors.AsType[*core.Rejection](err); ok {
		return &core.Rejection{Reason: fmt.Sprintf("cron.%d: %s", i+1, r.Reason), Hint: r.Hint, Err: r.Err}
	}
	return err
}

// Steps are what machines run for the jobs; see Plan.Commands.
func (all Jobs) Steps(app fs.FS, installed Programs) (jobs []core.CronJob, err error) {
	for i, j := range all {
		job := j.CronJob
		if job.Run, err = stepsOf(j.Found, app, installed); err != nil {
			return nil, ofJob(i, err)
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

func (all Jobs) builds() (steps []string) {
	for _, j := range all {
		steps = append(steps, j.Builds...)
	}
	return steps
}

func (all Jobs) warnings() (said []string) {
	for _, j := range all {
		said = append(said, j.Warnings...)
	}
	return said
}

func (all Jobs) facts() (facts []Fact) {
	for _, j := range all {
		zone := j.Zone
		if zone == "" {
			zone = "UTC"
		}
		facts = append(facts, Fact{"cron", j.Schedule + " " + zone + ": " + leavesOf(j.Found), j.From})
	}
	return facts
}
