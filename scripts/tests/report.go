package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// event is one line of `go test -json`: see `go doc test2json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

// report is what is known of a run.
type report struct {
	out    io.Writer
	strict bool // skips must be explained
	root   bool

	output         map[test]*strings.Builder // of the tests that have not ended
	passed, failed int
	failures       []test // those that are counted in failed, without packages
	died           bool   // a package ended before its tests
	unstable       []test // failed, and passed by themselves
	skipped        []skip
	times          []timing
}

// test is a test of a package; without a name, the package itself.
type test struct{ pkg, name string }

type skip struct {
	test
	reason string
}

type timing struct {
	test
	took time.Duration
}

// slow is how long a test takes that is named as soon as it ends.
const slow = 10 * time.Second

// read takes the events until their end.
func (r *report) read(events io.Reader) error {
	r.output = map[test]*strings.Builder{}
	for dec := json.NewDecoder(events); ; {
		var e event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the output of go test: %w", err)
		}
		r.take(e)
	}
}

func (r *report) take(e event) {
	t := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.keep(t, e.Output)
	case "pass", "fail", "skip":
		r.end(t, e.Action, time.Duration(e.Elapsed*float64(time.Second)))
	}
}

// keep holds back what a test says until it is known how it ends.
func (r *report) keep(t test, text string) {
	if r.output[t] == nil {
		r.output[t] = &strings.Builder{}
	}
	r.output[t].WriteString(text)
}

func (r *report) end(t test, how string, took time.Duration) {
	said := ""
	if b := r.output[t]; b != nil {
		said = b.String()
	}
	delete(r.output, t)
	r.times = append(r.times, timing{t, took})
	if t.name == "" {
		r.endPackage(t.pkg, how, said)
		return
	}
	switch how {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.failures = append(r.failures, t)
		fmt.Fprint(r.out, said)
	case "skip":
		r.skipped = append(r.skipped, skip{t, reason(said)})
	}
	if took >= slow && how != "fail" && !strings.Contains(t.name, "/") {
		fmt.Fprintf(r.out, "      %s %s %.1fs\n", t.pkg, t.name, took.Seconds())
	}
}

// endPackage prints what a package said itself: "ok …", or why it failed. If it died, the tests that ran then have
// not ended, and what they said is the cause.
func (r *report) endPackage(pkg, how, said string) {
	for _, t := range slices.SortedFunc(maps.Keys(r.output), func(a, b test) int { return strings.Compare(a.name, b.name) }) {
		if t.pkg == pkg {
			r.died = true
			fmt.Fprintf(r.out, "%s had not ended:\n%s", t.name, r.output[t])
			delete(r.output, t)
		}
	}
	if how == "fail" {
		r.failed++
		r.died = r.died || !strings.Contains("\n"+said, "\nFAIL\n") // what a package says whose tests all ran
	} else {
		said = noise.ReplaceAllString(said, "")
	}
	fmt.Fprint(r.out, said)
}

// noise is what a package says that is fine, beside its last line.
var noise = regexp.MustCompile(`(?m)^(PASS|testing: warning: no tests to run|coverage: .*|\?.*\[no test files\])\n`)

// reason is what a test said when it skipped itself: "FILE:LINE: reason".
func reason(said string) string {
	for line := range strings.Lines(said) {
		if m := note.FindStringSubmatch(line); m != nil {
			said = m[1]
			break
		}
	}
	return strings.TrimSpace(said)
}

var note = regexp.MustCompile(`^\s+\S+\.go:\d+: (.*)`)

// target is what a skipped test names: the target of the Makefile that runs it.
var target = regexp.MustCompile(`\bmake (measure|compat|test-(load|faults|base|base-update|upgrade|docker|deb|backup|clients|compat|balancer|limits|browser|metrics|receivers|docs|host|remote))\b`)

// ofRoot is what a test says that has something to do for root only.
var ofRoot = regexp.MustCompile(`\b(root|ordinary user)\b`)

// unexplained are the skips that the rule does not allow.
func (r *report) unexplained() (wrong []skip) {
	if !r.strict {
		return nil
	}
	for _, s := range r.skipped {
		fuzz := strings.HasPrefix(s.name, "Fuzz") // an input that is of no interest
		rights := !r.root && ofRoot.MatchString(s.reason)
		if !target.MatchString(s.reason) && !fuzz && !rights {
			wrong = append(wrong, s)
		}
	}
	return wrong
}
