package coretest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestCandidateThatCrashes: an app that had listened once was started again by its machine for as long as the push
// waited, which was three minutes, and the reason was "connection reset by peer". Its first end now ends the wait, and
// what it said is the reason.
func TestCandidateThatCrashes(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.driver.behave(func(m *fakeMachine) {
		m.status = 503
		m.watch(core.Event{Kind: core.EventListening})
		m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "MongoParseError: Invalid \x1b[31mscheme"})
		m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "    at connect (/app/server.js:3:1)"})
		m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 1"})
	})
	start := time.Now()
	reject, out := w.push(commit(1), commit(2))
	if reject != "the app listened, and then ended: MongoParseError: Invalid scheme (exit code 1)" || time.Since(start) > 4*time.Second {
		t.Errorf("rejected %q after %s:\n%s", reject, time.Since(start), out)
	}
	if v, answer := w.live(); v != 1 || !strings.HasPrefix(answer, "v1") {
		t.Errorf("v%d answers %q", v, answer)
	}
}

// TestFrontDoorDoesNotQuote: what an app says of its end is for those who may read its logs. The front door, which
// answers everybody, says only how it ended.
func TestFrontDoorDoesNotQuote(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.driver.behave(func(m *fakeMachine) {
		m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "Error: no answer from mongodb://root:hunter2@db"})
		m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 1"})
	})
	w.driver.all()[0].watch(core.Event{Kind: core.EventGone, Detail: "killed"})
	w.eventually("a try has failed", func() bool {
		_, down := w.router.target("shop")
		return strings.Contains(down, "it does not start: the app did not start: exit code 1; next try in")
	})
	if _, down := w.router.target("shop"); strings.Contains(down, "hunter2") {
		t.Errorf("the front door says %q", down)
	}
}

// TestUnhealthyAnswers: repeated answers are folded, and the reason has the count, the port, the memory and what to
// type.
func TestUnhealthyAnswers(t *testing.T) {
	w := newWorld(t)
	w.driver.behave(func(m *fakeMachine) {
		m.status = 502
		m.watch(core.Event{Kind: core.EventListening})
	})
	w.build = w.checked(core.Health{Path: "/", Timeout: time.Second})
	reject, out := w.push(none, commit(1))
	if !strings.HasPrefix(reject, "health check failed: GET / → 502 (×") || !strings.HasSuffix(reject, ", on port 8080, 128 MiB of memory") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	if n := strings.Count(out, "health check: "); n != 1 || !strings.Contains(out, "A balancer or a proxy") || !strings.Contains(out, `"nodeos": {"healthcheck": false}`) {
		t.Errorf("%d lines of probes:\n%s", n, out)
	}

	w.build = w.checked(core.Health{Off: true})
	reject, out = w.push(none, commit(2))
	if reject != "" || !strings.Contains(out, "health check: none") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
}

// checked is goodBuild with a health check.
func (w *world) checked(h core.Health) func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
	return func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
		m, err := w.goodBuild(ctx, src, r)
		m.Health = h
		return m, err
	}
}

// TestWaitIsTold: a push that waits says what for.
func TestWaitIsTold(t *testing.T) {
	w := newWorld(t)
	begin := make(chan struct{})
	w.driver.behave(func(m *fakeMachine) {
		m.watch(core.Event{Kind: core.EventBooted})
		<-begin
		healthy(m)
	})
	p := w.beginMain(none, commit(1))
	p.says("waiting for the app to listen on port 8080: 1.0s so far, 128 MiB of memory")
	close(begin)
	if reject, out := p.end(); reject != "" {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
}
