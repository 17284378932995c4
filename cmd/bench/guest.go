package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// loadTime is for one measurement of requests a second; a third of it is for the warm-up before.
const loadTime = 3 * time.Second

// guests: what a machine takes, and what it serves, beside the same app as a process of the host.
func (b *bench) guests(ctx context.Context) error {
	const app = "hello"
	if b.plain == nil {
		return errors.New("it asks what the part push has pushed: name that too")
	}
	long := b.unless(loadTime/10, loadTime)
	for range b.rounds {
		ours, err := load(ctx, b.gitd.target(app), long)
		if err != nil {
			return err
		}
		theirs, err := load(ctx, b.plain.target(app), long)
		if err != nil {
			return err
		}
		b.table.compare("hello: requests/s, 8 at a time", "1/s", "a process of the host, without a front door", ours, theirs)
	}
	return b.sizes(app)
}

// unless is long, or short in a run that only shows that the harness works.
func (b *bench) unless(short, long time.Duration) time.Duration {
	if b.smoke {
		return short
	}
	return long
}

// sizes are of the app's machine and of what it boots from, which all apps share but for their layers.
func (b *bench) sizes(app string) error {
	pid, err := b.gitd.qemu(app)
	if err != nil {
		return err
	}
	memory, err := pss(pid)
	if err != nil {
		return err
	}
	b.table.note("hello: memory of the machine's QEMU (PSS)", "MiB", memory)
	for what, dirs := range map[string]string{"the base, for all apps": "bases/*/*", "layers of the apps pushed here": "layers/*"} {
		files, err := filepath.Glob(filepath.Join(b.gitd.state, dirs))
		if err != nil {
			return err
		}
		var sum int64
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				sum += info.Size()
			}
		}
		b.table.note("on the disk: "+what, "MB", float64(sum)/1e6)
	}
	return nil
}

// load asks on eight kept connections for a while, and returns good answers a second.
func load(ctx context.Context, at target, long time.Duration) (float64, error) {
	if _, err := count(ctx, at, long/3); err != nil {
		return 0, err
	}
	n, err := count(ctx, at, long)
	return float64(n) / long.Seconds(), err
}

func count(ctx context.Context, at target, long time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	const connections = 8
	c := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer c.CloseIdleConnections()
	var answers atomic.Int64
	errs := make([]error, connections)
	var all sync.WaitGroup
	for i := range connections {
		all.Go(func() {
			for errs[i] == nil && ctx.Err() == nil {
				if err := once(ctx, &c, at); err == nil {
					answers.Add(1)
				} else if ctx.Err() == nil {
					errs[i] = err
				}
			}
		})
	}
	all.Wait()
	return answers.Load(), errors.Join(errs...)
}

func once(ctx context.Context, c *http.Client, at target) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.addr+"/", nil)
	if err != nil {
		return err
	}
	req.Host = at.host
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", at.host, res.Status)
	}
	return nil
}
