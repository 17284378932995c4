package nodeapp

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

const (
	maxChecks   = 100 // health checks in one app.json
	maxWarnings = 20  // about one app.json
)

// Defaults of a check in app.json, which are Dokku's.
const (
	appJSONAttempts = 3
	appJSONWait     = 5 // seconds
	appJSONTimeout  = 5 // seconds
)

// appHealth reads the health check in app.json, as Heroku and Dokku have it: healthchecks.web[]. The first startup
// check with a path counts, and a warning says what of the file gitd ignores. ok is false when there is no such check.
func appHealth(b []byte, warnings *[]string) (h core.Health, ok bool, err error) {
	checks, err := webChecks(b)
	if err != nil {
		return h, false, err
	}
	said := 0
	warn := func(format string, args ...any) {
		if said++; said <= maxWarnings {
			*warnings = append(*warnings, "app.json: "+fmt.Sprintf(format, args...))
		}
	}
	for i, raw := range checks {
		name := fmt.Sprintf("healthchecks.web[%d]", i)
		c, _, err := parseObject(raw)
		if err != nil {
			return h, false, badCheck(name, raw, `a check is an object such as {"type": "startup", "path": "/health"}`)
		}
		if why := c.leftOut(); why != "" {
			warn("%s is ignored: %s", name, why)
			continue
		}
		if ok {
			warn("%s is ignored: gitd has one startup check, and the first counts", name)
			continue
		}
		if h, err = c.check(name); err != nil {
			return h, false, err
		}
		ok = true
		for _, key := range c.unused() {
			warn("%s.%s is ignored", name, shorten(key))
		}
	}
	return h, ok, nil
}

func webChecks(b []byte) ([]json.RawMessage, error) {
	o, _, err := parseObject(b)
	if err != nil {
		reason := "app.json is broken: " + err.Error()
		return nil, &core.Rejection{Reason: reason, Hint: "repair it, commit, and push again", Err: err}
	}
	raw, ok := o["healthchecks"]
	if !ok {
		return nil, nil
	}
	all, _, err := parseObject(raw)
	if err != nil {
		return nil, badCheck("healthchecks", raw,
			`it is an object such as {"web": [{"type": "startup", "path": "/health"}]}`)
	}
	if raw, ok = all["web"]; !ok {
		return nil, nil
	}
	var checks []json.RawMessage
	if err := json.Unmarshal(raw, &checks); err != nil || len(checks) > maxChecks {
		return nil, badCheck("healthchecks.web", raw, fmt.Sprintf("it is a list of at most %d checks", maxChecks))
	}
	return checks, nil
}

// leftOut says why gitd ignores a check; empty: it does not.
func (o object) leftOut() string {
	kind := o.text("type")
	_, command := o["command"]
	_, path := o["path"]
	switch {
	case command:
		return "a command cannot be run in the machine, which holds nothing but the app; use a path"
	case kind == "liveness" || kind == "readiness":
		return "gitd itself replaces a machine that ends or hangs; only startup checks are made"
	case kind != "" && kind != "startup":
		return fmt.Sprintf("its type is %s; only startup checks are made", shorten(kind))
	case !path:
		return "that the app listens is checked anyway; only checks with a path add to it"
	default:
		return ""
	}
}

func (o object) check(name string) (core.Health, error) {
	h := core.Health{Path: o.text("path")}
	if !goodPath(h.Path) {
		return h, badCheck(name+".path", o["path"], `use a path such as "/health"`)
	}
	for _, f := range []struct {
		key             string
		otherwise, most int
		set             func(n int)
	}{
		{"attempts", appJSONAttempts, maxAttempts, func(n int) { h.Attempts = max(n, 1) }},
		{"wait", appJSONWait, 900, func(n int) { h.Interval = max(time.Duration(n)*time.Second, minInterval) }},
		{"timeout", appJSONTimeout, 900, func(n int) { h.Probe = time.Duration(max(n, 1)) * time.Second }},
		{"initialDelay", 0, 900, func(n int) { h.Delay = time.Duration(n) * time.Second }},
	} {
		n := f.otherwise
		if raw, ok := o[f.key]; ok {
			if err := json.Unmarshal(raw, &n); err != nil || n < 0 || n > f.most {
				return h, badCheck(name+"."+f.key, raw, fmt.Sprintf("use a whole number from 0 to %d", f.most))
			}
		}
		f.set(n)
	}
	return h, nil
}

// unused are the keys of a check that gitd ignores, sorted.
func (o object) unused() []string {
	known := []string{"type", "name", "description", "path", "attempts", "wait", "timeout", "initialDelay"}
	var all []string
	for key := range o {
		if !slices.Contains(known, key) {
			all = append(all, key)
		}
	}
	slices.Sort(all)
	return all
}

func badCheck(name string, raw json.RawMessage, hint string) error {
	return core.Reject(fmt.Sprintf("app.json: %s is %s", name, shorten(string(raw))), hint)
}
