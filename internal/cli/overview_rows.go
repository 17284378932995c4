package cli

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// overviewRow is one app on the screen.
type overviewRow struct {
	App      string
	State    string
	Release  int
	Memory   int64 // bytes in use; 0: not known
	Limit    int64 // bytes that the machine has
	CPU      float64
	Requests uint64 // since gitd's start
	Deployed time.Time
}

func (r overviewRow) cells() []string {
	memory, cpu := "-", "-"
	if r.Memory > 0 {
		memory = fmt.Sprintf("%s/%s", mebi(r.Memory), mebi(r.Limit))
		cpu = fmt.Sprintf("%.0f%%", 100*r.CPU)
	}
	return []string{r.App, r.State, version(r.Release), memory, cpu, humanize.Comma(int64(r.Requests)), ago(r.Deployed)}
}

// mebi prints bytes as people compare machines: "87M".
func mebi(n int64) string { return fmt.Sprintf("%dM", (n+1<<19)>>20) }
