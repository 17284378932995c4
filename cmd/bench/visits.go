package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"
)

// visitors come at once.
const visitors = 2

// smokeTime is how long they ask in a run that only shows that the harness works.
const smokeTime = 5 * time.Second

// visit is one request.
type visit struct {
	app        string
	begun, end time.Time
	err        error
}

// visit has people ask apps at random, and says how long those waited whose app slept. The first round, in which each
// app boots, is not measured.
func (c crowd) visit(ctx context.Context, b *bench, g *gitd) error {
	var apps []string
	for _, from := range c.kinds {
		for i := range c.woken / len(c.kinds) {
			apps = append(apps, member(from, i))
		}
	}
	for _, app := range apps { // one that there is no room for yet is asked again
		if err := g.target(app).await(ctx, "Hello"); err != nil {
			return err
		}
	}
	begun := time.Now()
	made := wander(ctx, g, apps, b.unless(smokeTime, b.long))
	woke, err := g.woken(begun)
	if err != nil {
		return err
	}
	return c.tell(b, made, woke)
}

// wander has visitors ask one app after the other. Between two requests each waits as long as its answer took, a second
// at the most, so that a host that is busy is not asked faster than it answers.
func wander(ctx context.Context, g *gitd, apps []string, long time.Duration) (made []visit) {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	var mu sync.Mutex
	var all sync.WaitGroup
	for range visitors {
		all.Go(func() {
			for ctx.Err() == nil {
				v := visit{app: apps[rand.IntN(len(apps))], begun: time.Now()} //nolint:gosec // which app is asked is no secret
				_, v.err = g.target(v.app).get(context.WithoutCancel(ctx))
				v.end = time.Now()
				mu.Lock()
				made = append(made, v)
				mu.Unlock()
				select {
				case <-time.After(min(v.end.Sub(v.begun), time.Second)):
				case <-ctx.Done():
				}
			}
		})
	}
	all.Wait()
	return made
}

// wake is a line of gitd's log: an app woke.
type wake struct {
	Time         time.Time
	Message, App string
}

// woken are the wakes since then.
func (g *gitd) woken(since time.Time) (all []wake, err error) {
	f, err := os.Open(g.process.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var w wake
		if json.Unmarshal(lines.Bytes(), &w) == nil && w.Message == "app woke" && w.Time.After(since.Add(-time.Second)) {
			all = append(all, w)
		}
	}
	return all, lines.Err()
}

// tell adds what visitors saw to the table.
func (c crowd) tell(b *bench, made []visit, woke []wake) error {
	var slept, awake []float64
	var lost []error
	for _, v := range made {
		took := v.end.Sub(v.begun).Seconds()
		switch {
		case v.err != nil:
			lost = append(lost, fmt.Errorf("%s: %w", v.app, v.err))
		case slices.ContainsFunc(woke, v.wokeBy):
			slept = append(slept, took)
		default:
			awake = append(awake, took)
		}
	}
	what := fmt.Sprintf("%d apps, memory for %d, requests to %d of them at random for %s: ", c.apps, c.awake, c.woken, b.unless(smokeTime, b.long))
	b.table.note(what+"requests", "", float64(len(made)))
	b.table.note(what+"lost", "", float64(len(lost)))
	for _, s := range []struct {
		name string
		took []float64
	}{{"to an app that slept", slept}, {"to one that was awake", awake}} {
		b.table.note(what+s.name, "", float64(len(s.took)))
		if len(s.took) > 0 {
			slices.Sort(s.took)
			b.table.note(what+s.name+": p50", "s", quantile(s.took, 0.5))
			b.table.note(what+s.name+": p99", "s", quantile(s.took, 0.99))
		}
	}
	return errors.Join(lost...)
}

// wokeBy reports whether the app woke while the visitor waited. gitd's times are whole seconds.
func (v visit) wokeBy(w wake) bool {
	return w.App == v.app && w.Time.After(v.begun.Add(-time.Second)) && w.Time.Before(v.end.Add(time.Second))
}

// quantile of values in their order.
func quantile(sorted []float64, q float64) float64 {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
