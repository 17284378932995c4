package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"gitd/internal/core"
)

// overviewRow is one app on the screen.
type overviewRow struct {
	App      string
	State    string
	Release  int
	Machine  string
	Stats    *core.Stats // nil: not known
	Requests int64       // since gitd's start
	Deployed time.Time
	At       time.Time // when this was looked at
	CPU      float64   // share of one processor since the look before; below 0: not known
	Rate     float64   // requests a second since then
}

// overviewRows implements source.
func (t *tree) overviewRows(ctx context.Context) ([]overviewRow, error) {
	apps, err := t.appRows(ctx)
	if err != nil {
		return nil, err
	}
	rows := []overviewRow{}
	for _, a := range apps {
		s, err := t.Core.Status(ctx, a.Name)
		if err != nil {
			return nil, err
		}
		rows = append(rows, overviewRow{
			App: a.Name, State: a.State, Release: s.Release, Machine: s.Machine, Stats: s.Stats,
			Requests: t.Counts(a.Name).Requests, Deployed: a.Deployed, At: time.Now(), CPU: -1,
		})
	}
	return rows, nil
}

// compare works out what happened since the look before.
func (r *overviewRow) compare(old overviewRow) {
	if passed := r.At.Sub(old.At).Seconds(); passed > 0 && !old.At.IsZero() {
		r.Rate = float64(max(0, r.Requests-old.Requests)) / passed
	}
	if r.Stats == nil || old.Stats == nil || r.Machine != old.Machine {
		return
	}
	if up := r.Stats.Uptime - old.Stats.Uptime; up > 0 {
		r.CPU = max(0, float64(r.Stats.CPU-old.Stats.CPU)/float64(up))
	} else {
		r.CPU = old.CPU // the machine has not spoken since
	}
}

func overviewHeader() []string {
	return []string{"APP", "STATE", "RELEASE", "MEMORY", "CPU", "REQ/S", "REQUESTS", "DEPLOYED"}
}

func (r overviewRow) cells() []string {
	memory, cpu := "-", "-"
	if r.Stats != nil {
		memory = fmt.Sprintf("%s/%s", mebi(r.Stats.MemoryUsed), mebi(r.Stats.MemoryTotal))
	}
	if r.CPU >= 0 {
		cpu = fmt.Sprintf("%.0f%%", 100*r.CPU)
	}
	return []string{r.App, r.State, version(r.Release), memory, cpu, fmt.Sprintf("%.1f", r.Rate), humanize.Comma(r.Requests), ago(r.Deployed)}
}

// mebi prints bytes as people compare machines: "87M".
func mebi(n int64) string { return fmt.Sprintf("%dM", (n+1<<19)>>20) }
