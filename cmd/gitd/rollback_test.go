package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRollbackTime measures a rollback by an older tag, from the push to the first answer of the image that the tag
// names, and compares it with a cold start of the same image: make measure RUN=TestRollbackTime. It fails if a rollback
// builds.
func TestRollbackTime(t *testing.T) {
	r := measuredRig(t)
	r.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	tags := []string{"one", "two"}
	for _, tag := range tags {
		r.edit("shop", tag, map[string]string{"change.txt": tag})
		r.git("shop", "tag", tag)
		pushed(t, r, "shop")
	}
	var rollbacks, whole, cold []time.Duration
	for i := range 8 {
		answered, done := r.rollback(tags[i%2], i+3)
		rollbacks, whole = append(rollbacks, answered), append(whole, done)
		r.gitd("ps:stop", "shop")
		start := time.Now()
		first := r.firstAnswer("shop", i+3)
		r.gitd("ps:start", "shop")
		cold = append(cold, r.since(start, first))
	}
	t.Logf("\n| | median (least–most) of %d |\n|---|---|\n| git push of an older tag → first answer | %s |\n| … → the client's end | %s |\n| start of the stopped app, same image → first answer | %s |",
		len(cold), spread(rollbacks), spread(whole), spread(cold))
	r.halt()
}

// onlyMeasured skips a measurement that nobody asked for: measurements take minutes, and need the machine for
// themselves.
func onlyMeasured(t *testing.T) {
	t.Helper()
	if os.Getenv("MEASURE") == "" {
		t.Skip("takes minutes: make measure")
	}
}

// measuredRig makes a gitd that people may push to, for a measurement.
func measuredRig(t *testing.T) *rig {
	t.Helper()
	onlyMeasured(t)
	r := newRig(t, filepath.Join(bin, "gitd"), "")
	r.serve()
	r.admit()
	return r
}

// rollback pushes a tag. It returns the time until the app answered as version, and the time until the client ended.
func (r *rig) rollback(tag string, version int) (answered, done time.Duration) {
	r.t.Helper()
	start := time.Now()
	first := r.firstAnswer("shop", version)
	p := r.push("shop", tag)
	<-p.done
	done = time.Since(start)
	if out := p.out.String(); p.err != nil || !strings.Contains(out, "no build") || strings.Contains(out, "Packing") {
		r.t.Fatalf("push of %s: %v\n%s", tag, p.err, out)
	}
	return r.since(start, first), done
}

// since returns the time until first, which must come.
func (r *rig) since(start time.Time, first <-chan time.Time) time.Duration {
	r.t.Helper()
	at, ok := <-first
	if !ok {
		r.t.Fatalf("no answer within %s\n%s", eventLimit, r.tail(20))
	}
	return at.Sub(start)
}

// firstAnswer asks again and again. It sends the time at which version answered for the first time.
func (r *rig) firstAnswer(app string, version int) <-chan time.Time {
	first := make(chan time.Time, 1)
	c, want := r.client(true), fmt.Sprintf("release v%d,", version)
	go func() {
		for end := time.Now().Add(eventLimit); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			status, body, err := r.get(c, app, "/")
			if err == nil && status == http.StatusOK && strings.Contains(body, want) {
				first <- time.Now()
				return
			}
		}
		close(first)
	}()
	return first
}
