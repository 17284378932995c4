package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

// psRow is how an app runs. Sizes are in bytes, times in seconds.
type psRow struct {
	App       string    `json:"app"`
	State     string    `json:"state"` // empty, running, asleep, unseen, starting, stopped, crash loop, down
	Reason    string    `json:"reason,omitempty"`
	Release   int       `json:"release"`
	Machine   string    `json:"machine,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Restarts  int       `json:"restarts"`
	LastLines []string  `json:"last_lines,omitempty"`
	Use       *useRow   `json:"use,omitempty"`
	Boot      *bootRow  `json:"boot,omitempty"`
	Process   string    `json:"process,omitempty"` // "web.1"

	Processes []psRow    `json:"processes,omitempty"` // each of the app
	Queue     []queueRow `json:"queue"`               // of its deployments
	Kept      []keptRow  `json:"kept,omitempty"`      // machines that a rollback takes
}

// keptRow is a machine that a deployment has replaced.
type keptRow struct {
	Release int       `json:"release"` // that it served last
	Process string    `json:"process"`
	Machine string    `json:"machine"`
	Until   time.Time `json:"until"`
}

func keptRows(all []core.Kept) (rows []keptRow) {
	for _, k := range all {
		rows = append(rows, keptRow{k.Release, k.Process.String(), k.ID, k.Until})
	}
	return rows
}

type useRow struct {
	MemoryUsed  int64   `json:"memory_used"`
	MemoryTotal int64   `json:"memory_total"`
	AppMemory   int64   `json:"app_memory"`
	CPU         float64 `json:"cpu_seconds"`
	Load        float64 `json:"load"`
	OpenFiles   int     `json:"open_files"`
	Processes   int     `json:"processes"`
	Uptime      float64 `json:"uptime_seconds"`
	LinesLost   int64   `json:"lines_lost"`
}

type bootRow struct {
	Host     float64 `json:"host_seconds"`
	Firmware float64 `json:"firmware_seconds"`
	Kernel   float64 `json:"kernel_seconds"`
	Init     float64 `json:"init_seconds"`
	Node     float64 `json:"node_seconds"`
	App      float64 `json:"app_seconds"`
	Total    float64 `json:"total_seconds"`
}

func (c runCommands) ps() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ps APP [--boot]", DisableFlagsInUseLine: true, Short: "show how an app runs: state, memory, CPU, restarts",
		Example: "ps shop\nps shop --boot\nps shop --json", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	boot := cmd.Flags().Bool("boot", false, "where the time of its last boot went")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		s, err := c.Core.Status(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		if *asJSON {
			row := newPSRow(s.App, s.ProcessStatus)
			for _, p := range s.Processes {
				row.Processes = append(row.Processes, newPSRow(s.App, p))
			}
			row.Queue, row.Kept = queueRows(c.Core.QueueOf(a[0])), keptRows(c.Kept(a[0]))
			return c.JSON(row)
		}
		if *boot {
			return c.bootTable(s)
		}
		return c.psText(s)
	}
	return cmd
}

func newPSRow(app string, s fleet.ProcessStatus) psRow {
	row := psRow{App: app, State: string(s.State), Reason: s.Reason, Release: s.Release, Machine: s.Machine,
		Since: s.Since, Restarts: s.Restarts, LastLines: s.LastLines}
	if u := s.Stats; u != nil {
		row.Use = &useRow{u.MemoryUsed, u.MemoryTotal, u.AppRSS, u.CPU.Seconds(), u.Load, u.OpenFiles, u.Processes, u.Uptime.Seconds(), u.Dropped}
	}
	if s.Process.Type != "" {
		row.Process = s.Process.String()
	}
	if b := s.Boot; b != nil {
		row.Boot = &bootRow{b.Host.Seconds(), b.Firmware.Seconds(), b.Kernel.Seconds(), b.Init.Seconds(), b.Node.Seconds(), b.App.Seconds(), b.Total().Seconds()}
	}
	return row
}

// psText is a table with a line for each process, why those that do not run do not, and what is being deployed.
func (c runCommands) psText(s fleet.AppStatus) error {
	rows := [][]string{{"APP", "PROCESS", "STATE", "RELEASE", "SINCE", "RESTARTS", "MEMORY", "CPU", "MACHINE"}}
	all := s.Processes
	if len(all) == 0 {
		all = []fleet.ProcessStatus{s.ProcessStatus}
	}
	for _, p := range all {
		rows = append(rows, psCells(s.App, p))
	}
	if err := c.Table(rows); err != nil {
		return err
	}
	r := progress.NewReport(c.Out)
	for _, p := range all {
		switch {
		case p.Reason == "":
		case len(all) > 1:
			r.Warn("%s: %s: %s", p.Process, p.State, p.Reason)
		default:
			r.Warn("%s: %s", p.State, p.Reason)
		}
		for _, l := range p.LastLines {
			r.Detail("| %s", l)
		}
	}
	for _, k := range c.Kept(s.App) {
		r.Detail("%s of %s is kept for a rollback, paused, until %s", k.Process, terminal.Version(k.Release), k.Until.Format(time.TimeOnly))
	}
	for _, q := range queueRows(c.Core.QueueOf(s.App)) {
		r.Step("%s by %s, %s", q.What, q.By, q.state())
	}
	return nil
}

func psCells(app string, s fleet.ProcessStatus) []string {
	process, memory, cpu := "-", "-", "-"
	if s.Process.Type != "" {
		process = s.Process.String()
	}
	if u := s.Stats; u != nil {
		memory = fmt.Sprintf("%s of %s (app %s)", units.Bytes(u.MemoryUsed), units.Bytes(u.MemoryTotal), units.Bytes(u.AppRSS))
		cpu = fmt.Sprintf("%s, load %.2f", u.CPU.Round(10*time.Millisecond), u.Load)
	}
	return []string{
		app, process, string(s.State), terminal.Version(s.Release), terminal.Ago(s.Since), strconv.Itoa(s.Restarts), memory, cpu,
		terminal.OrDash(s.Machine),
	}
}

func (c runCommands) bootTable(s fleet.AppStatus) error {
	if s.Boot == nil {
		return core.Reject("no times of a boot of "+s.App+" are known", "they are those of the machine that gitd started last: ps:restart "+s.App)
	}
	b := *s.Boot
	rows := [][]string{{"PHASE", "TOOK", "WHAT"}}
	for _, p := range []struct {
		name string
		took time.Duration
		what string
	}{
		{"host", b.Host, "the driver and QEMU"},
		{"firmware", b.Firmware, "firmware, unpacking the kernel"},
		{"kernel", b.Kernel, "the kernel, to init's first instruction"},
		{"init", b.Init, "disks, network, the host's answer"},
		{"node", b.Node, "Node itself"},
		{"app", b.App, "the app's modules, until it listens"},
		{"total", b.Total(), ""},
	} {
		rows = append(rows, []string{p.name, p.took.Round(time.Millisecond).String(), p.what})
	}
	return c.Table(rows)
}

func (c runCommands) psRebuild() *cobra.Command {
	cmd := c.Operation("ps:rebuild", "build the live commit again and deploy it", "ps:rebuild shop", core.RoleDeploy,
		func(ctx context.Context, app string) error { return c.Core.Rebuild(ctx, c.Actor, app, c.Out) })
	cmd.Long = "Build the commit that is live again, and deploy the result as a new release. The dependencies are installed\n" +
		"anew, and none that were kept are used. This is what a change of config for builds needs (config:set --build)."
	return cmd
}

func (c runCommands) psRestart() *cobra.Command {
	return c.Operation("ps:restart", "bring up new machines of the live release and swap to them", "ps:restart shop", core.RoleDeploy,
		func(ctx context.Context, app string) error {
			return c.Core.Redeploy(ctx, c.Actor, app, core.ByRestart, c.Out)
		})
}

func (c runCommands) psStop() *cobra.Command {
	return c.Operation("ps:stop", "stop the machines of an app until ps:start or the next deployment", "ps:stop shop", core.RoleDeploy,
		func(ctx context.Context, app string) error {
			if err := c.Core.StopApp(ctx, c.Actor, app, c.Out); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.Out, "=====> %s is stopped; ps:start %s starts it\n", app, app)
			return err
		})
}

func (c runCommands) psStart() *cobra.Command {
	return c.Operation("ps:start", "start a stopped app", "ps:start shop", core.RoleDeploy,
		func(ctx context.Context, app string) error { return c.Core.StartApp(ctx, c.Actor, app, c.Out) })
}
