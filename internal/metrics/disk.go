package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nodeos-dev/gitd/internal/usage"
)

// The folders are walked in the background, after a scrape, and seldom: not again before walkPause, and a walk that
// takes long is followed by a pause of walkShare times that.
const (
	walkPause = 10 * time.Second
	walkShare = 50
	walkLimit = 10 * time.Minute // for one walk
)

// disk is what takes room in the state folder, as it was when that was last walked.
type disk struct {
	read func(ctx context.Context) (usage.Usage, error)

	mu      sync.Mutex
	walking bool
	next    time.Time // not before this
	walked  time.Time // zero: never
	took    time.Duration
	last    usage.Usage
}

// refresh begins a walk if it is time for one.
func (d *disk) refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.walking || time.Now().Before(d.next) {
		return
	}
	d.walking = true
	go d.walk()
}

func (d *disk) walk() {
	ctx, cancel := context.WithTimeout(context.Background(), walkLimit)
	defer cancel()
	begun := time.Now()
	u, err := d.read(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.walking, d.took = false, time.Since(begun)
	d.next = time.Now().Add(max(walkPause, walkShare*d.took))
	if err == nil {
		d.last, d.walked = u, begun
	}
}

// forget drops what apps took that are gone.
func (d *disk) forget(gone func(app string, noted time.Time) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last.Apps = slices.DeleteFunc(d.last.Apps, func(a usage.App) bool { return gone(a.App, d.walked) })
}

var (
	diskDesc    = desc("gitd_disk_used_bytes", "Bytes on the disk that belong to no single app, by what they are for, when the folders were last walked.", "kind")
	appDiskDesc = desc("gitd_app_disk_used_bytes", "Bytes on the disk that would be free without the app, by what they are for, when the folders were last walked.", "app", "kind")
	imagesDesc  = desc("gitd_app_images", "Images of the app that are kept.", "app")
	walkedDesc  = desc("gitd_disk_walk_timestamp_seconds", "When the folders were last walked, in seconds since 1970.")
	tookDesc    = desc("gitd_disk_walk_duration_seconds", "How long that took.")
)

// Describe implements prometheus.Collector: series come and go.
func (d *disk) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector. Kinds that take nothing have no series.
func (d *disk) Collect(out chan<- prometheus.Metric) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.walked.IsZero() {
		return
	}
	to := sink(out)
	to.gauge(walkedDesc, float64(d.walked.UnixNano())/1e9)
	to.gauge(tookDesc, d.took.Seconds())
	for kind, n := range map[string]int64{
		"shared_layers": d.last.Shared, "bases": d.last.Bases, "cache": d.last.Cache, "builds": d.last.Builds,
		"machines": d.last.Machines, "ledger": d.last.Ledger, "stray_layers": d.last.Stray,
	} {
		to.gauge(diskDesc, float64(n), kind)
	}
	for _, a := range d.last.Apps {
		to.gauge(imagesDesc, float64(a.Images), a.App)
		for kind, n := range map[string]int64{
			"layers": a.Layers, "repository": a.Repository, "cache": a.Cache, "volumes": a.Volumes, "logs": a.Logs,
		} {
			if n > 0 {
				to.gauge(appDiskDesc, float64(n), a.App, kind)
			}
		}
	}
}
