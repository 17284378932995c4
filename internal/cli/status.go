package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

type statusRow struct {
	Version         string     `json:"version"`
	Accel           string     `json:"accel"`
	Away            string     `json:"away,omitempty"`    // why it is not known which machines run
	Network         string     `json:"network,omitempty"` // what is wrong with their network
	Kernel          string     `json:"kernel"`
	Started         time.Time  `json:"started"`
	CPUs            int        `json:"cpus"`
	MemoryTotal     uint64     `json:"memory_total"`
	MemoryAvailable uint64     `json:"memory_available"`
	DiskTotal       uint64     `json:"disk_total"`
	DiskFree        uint64     `json:"disk_free"`
	Apps            int        `json:"apps"`
	Machines        int        `json:"machines"`
	MachineMemory   int64      `json:"machine_memory"` // what the guests use
	Spares          int        `json:"spares"`         // machines that are ready for any app
	Kept            int        `json:"kept"`           // machines that a rollback takes
	Promised        int        `json:"promised_mib"`   // what machines may use together
	PromisedMost    int        `json:"promised_most_mib"`
	PromisedCPUs    int        `json:"promised_cpus"`
	MostCPUs        int        `json:"promised_most_cpus"`
	BuildLimit      int        `json:"build_limit"`
	Builds          []queueRow `json:"builds"`
	Queue           []queueRow `json:"queue"`
	HostKeys        []string   `json:"host_keys"` // fingerprints
	Backup          string     `json:"backup"`    // what there is to say of planned backups
}

// queueRow is one piece of work. Position 0 runs, 1 is the next.
type queueRow struct {
	App      string    `json:"app"`
	What     string    `json:"what"`
	By       string    `json:"by"`
	Position int       `json:"position"`
	Since    time.Time `json:"since"`
}

func queueRows(list []deploy.QueueEntry) []queueRow {
	rows := []queueRow{}
	for _, e := range list {
		rows = append(rows, queueRow{e.App, e.What, e.By, e.Position, e.Since})
	}
	return rows
}

func (c hostCommands) status() *cobra.Command {
	cmd := &cobra.Command{
		Use: "status", Short: "show how the host is: memory, disk, machines, queue",
		Example: "status\nstatus --json", Args: command.Args(cobra.NoArgs),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, _ []string) error {
		row, err := c.statusRow(cmd.Context())
		if err != nil {
			return err
		}
		return c.List(*asJSON, row, row.cells())
	})
	return cmd
}

func (c hostCommands) statusRow(ctx context.Context) (statusRow, error) {
	h, err := c.Services.Status()
	if err != nil {
		return statusRow{}, err
	}
	all, err := c.Core.Statuses(ctx)
	if err != nil {
		return statusRow{}, err
	}
	o := c.Core.Overview()
	row := statusRow{
		Version: c.Version, Accel: h.Accel, Away: h.Away, Network: h.Network, Kernel: h.Kernel, Started: h.Started, CPUs: h.CPUs,
		MemoryTotal: h.MemoryTotal, MemoryAvailable: h.MemoryAvailable, DiskTotal: h.DiskTotal, DiskFree: h.DiskFree,
		Apps: len(all), BuildLimit: o.BuildLimit, Builds: queueRows(o.Builds), Queue: queueRows(o.Queue), HostKeys: c.HostKeys,
	}
	if row.Backup, err = c.ofBackups(ctx); err != nil {
		return statusRow{}, err
	}
	row.Spares, row.Kept = c.Spares(), len(c.Kept(""))
	now, most := c.Quotas.Promised()
	row.Promised, row.PromisedMost, row.PromisedCPUs, row.MostCPUs = now.MemoryMiB, most.MemoryMiB, now.CPUs, most.CPUs
	for _, s := range all {
		for _, p := range s.Processes {
			if p.Machine != "" {
				row.Machines++
			}
			if p.Stats != nil {
				row.MachineMemory += p.Stats.MemoryUsed
			}
		}
	}
	return row, nil
}

// ofBackups says when the next backup is made, or why the last one has failed.
func (c hostCommands) ofBackups(ctx context.Context) (string, error) {
	p, err := c.Backups.Plan(ctx)
	switch {
	case errors.Is(err, core.ErrNotFound):
		return "none planned (backup:schedule)", nil
	case err != nil:
		return "", err
	case p.Problem != "":
		return "FAILED " + terminal.Ago(p.Last) + ": " + p.Problem, nil
	}
	return "the next one at " + c.Backups.Due(p).Format(time.RFC3339), nil
}

func (s statusRow) cells() [][]string {
	rows := [][]string{
		{"WHAT", "VALUE"},
		{"gitd", s.Version + ", started " + terminal.Ago(s.Started)},
		{"host", fmt.Sprintf("Linux %s, %d CPUs, machines by %s", s.Kernel, s.CPUs, s.Accel)},
		{"memory", fmt.Sprintf("%s available of %s", units.Bytes(int64(s.MemoryAvailable)), units.Bytes(int64(s.MemoryTotal)))},
		{"disk", fmt.Sprintf("%s free of %s", units.Bytes(int64(s.DiskFree)), units.Bytes(int64(s.DiskTotal)))},
		{"apps", strconv.Itoa(s.Apps)},
		{"machines", fmt.Sprintf("%d, %s", s.Machines, cmp.Or(s.Away, "using "+units.Bytes(s.MachineMemory)))},
		{"ready", fmt.Sprintf("%d spare, %d kept for rollbacks", s.Spares, s.Kept)},
		{"promised", fmt.Sprintf("%s of memory (of %s), %d CPUs (of %s)", units.Bytes(int64(s.Promised)<<20),
			ofMost(units.Bytes(int64(s.PromisedMost)<<20), s.PromisedMost), s.PromisedCPUs, ofMost(strconv.Itoa(s.MostCPUs), s.MostCPUs))},
		{"builds", fmt.Sprintf("%d of %d at a time", len(s.Builds), s.BuildLimit)},
	}
	if s.Network != "" {
		rows = append(rows, []string{"network", "FAILED: " + s.Network})
	}
	rows = append(rows, []string{"backup", s.Backup})
	for _, k := range s.HostKeys {
		rows = append(rows, []string{"host key", k})
	}
	for _, q := range s.Queue {
		rows = append(rows, []string{"queue", q.String()})
	}
	return rows
}

func ofMost(text string, n int) string {
	if n == 0 {
		return "any"
	}
	return text
}

// String is the entry as a line for people.
func (q queueRow) String() string {
	return fmt.Sprintf("%s: %s by %s, %s", q.App, q.What, q.By, q.state())
}

func (q queueRow) state() string {
	if q.Position > 0 {
		return fmt.Sprintf("number %d in its queue, asked for %s", q.Position, terminal.Ago(q.Since))
	}
	return "begun " + terminal.Ago(q.Since)
}
