package overview

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Row is one app on the screen.
type Row struct {
	App       string
	State     string
	Release   int
	Machine   string
	URL       string      // where the app is served
	Step      string      // of its deployment, with the version: "v3 booting"; empty: there is none
	Deploying string      // that deployment in words, and how many wait; empty: there is none
	Stats     *core.Stats // nil: not known
	Requests  int64       // since gitd's start
	Deployed  time.Time
	At        time.Time // when this was looked at
	CPU       float64   // share of one processor since the look before; below 0: not known
	Rate      float64   // requests a second since then
}

// compare works out what happened since the look before.
func (r *Row) compare(old Row) {
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

func header() []string {
	return []string{"APP", "STATE", "RELEASE", "MEMORY", "CPU", "REQ/S", "REQUESTS", "DEPLOYED"}
}

func (r Row) cells() []string {
	memory, cpu := "-", "-"
	if r.Stats != nil {
		memory = fmt.Sprintf("%s/%s", units.Bytes(r.Stats.MemoryUsed), units.Bytes(r.Stats.MemoryTotal))
	}
	if r.CPU >= 0 {
		cpu = fmt.Sprintf("%.0f%%", 100*r.CPU)
	}
	deployed := terminal.Ago(r.Deployed)
	if r.Step != "" {
		deployed = r.Step
	}
	return []string{r.App, r.State, terminal.Version(r.Release), memory, cpu, fmt.Sprintf("%.1f", r.Rate), humanize.Comma(r.Requests), deployed}
}
