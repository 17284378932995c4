package main

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// swaps is how many pushes TestLoad makes under load.
var swaps = flag.Int("swaps", 0, "pushes that TestLoad makes under load; 0: it does not run")

// loadRig makes a gitd with a repository to load, or skips the test.
func loadRig(t *testing.T, args ...string) *rig {
	t.Helper()
	if *swaps == 0 {
		t.Skip("wants the machine for itself: make test-load runs it")
	}
	r := newRig(t, filepath.Join(bin, "gitd"), "", args...)
	r.serve()
	r.admit()
	r.repo("load", "testdata/load")
	return r
}

// TestLoad pushes a real app again and again while clients of all kinds use it. No request may fail, and the new
// release must answer what is asked after a push has ended. Between two pushes the same load runs without a push, for
// comparison.
func TestLoad(t *testing.T) {
	r := loadRig(t)
	if version, _ := pushed(t, r, "load"); version != 1 {
		t.Fatalf("the first release is v%d", version)
	}
	l := startLoad(r, "load")
	for i := range *swaps {
		r.edit("load", fmt.Sprint("change ", i), map[string]string{"change.txt": fmt.Sprint(i)})
		start := time.Now()
		version, took := pushed(t, r, "load")
		l.swapped(start, time.Now(), version)
		time.Sleep(min(took, 5*time.Second)) // the same load runs without a push
	}
	results := l.stop()
	t.Logf("%d swaps\n%s", *swaps, table(results))
	for _, res := range results {
		if res.err != nil {
			t.Errorf("%s, begun %s after the load and %s long: %v", res.kind, res.begun.Sub(l.begun), res.took, res.err)
		}
	}
	r.halt()
}

// TestBurst: uploads that begin at the same moment all reach the machine. Before the port of the machine had a queue
// (proxy's pacer), some of them were reset after a second, and everything else that came with them waited as
// long.
func TestBurst(t *testing.T) {
	r := loadRig(t)
	pushed(t, r, "load")
	l := &load{r: r, app: "load", begun: time.Now()}
	for range 4 {
		failed := make(chan error, 12)
		for range cap(failed) {
			go func() {
				_, err := l.upload(r.client(false))
				failed <- err
			}()
		}
		for range cap(failed) {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
	}
	r.halt()
}

var liveLine = regexp.MustCompile(`=====> v(\d+) is live`)

// pushed pushes main, or refs, of an app and returns the version that is live afterwards, and how long the push took.
func pushed(t *testing.T, r *rig, app string, refs ...string) (int, time.Duration) {
	t.Helper()
	if refs == nil {
		refs = []string{"main"}
	}
	start := time.Now()
	p := r.push(app, refs...)
	<-p.done
	took := time.Since(start)
	m := liveLine.FindStringSubmatch(p.out.String())
	if p.err != nil || m == nil {
		t.Fatalf("push: %v\n%s\n%s", p.err, p.out, r.tail(20))
	}
	version, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return version, took
}

// table compares each kind of request during pushes with the same kind between pushes.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| request | sent | failed | p50, p99 while swapping | p50, p99 without |\n|---|---|---|---|---|\n")
	sent, failed := 0, 0
	for _, k := range kinds {
		var swapping, without []time.Duration
		n, bad := 0, 0
		for _, res := range results {
			if res.kind != k.name {
				continue
			}
			n++
			switch {
			case res.err != nil:
				bad++
			case res.swapping:
				swapping = append(swapping, res.took)
			default:
				without = append(without, res.took)
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %s | %s |\n", k.name, n, bad, quantiles(swapping), quantiles(without))
		sent, failed = sent+n, failed+bad
	}
	fmt.Fprintf(&b, "| **all** | %d | %d | | |\n", sent, failed)
	return b.String()
}
