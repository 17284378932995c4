package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

func (c releaseCommands) releases() *cobra.Command {
	cmd := &cobra.Command{Use: "releases APP", Short: "list the releases of an app, the newest first", Example: "releases shop\nreleases shop -n 0 --json", Args: command.Args(cobra.ExactArgs(1))}
	asJSON := command.JSONFlag(cmd)
	limit := cmd.Flags().IntP("num", "n", 15, "how many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		list, err := c.Ledger.Releases(cmd.Context(), a[0], max(*limit, 0))
		if err != nil {
			return err
		}
		warm := map[int]bool{}
		for _, k := range c.Kept(a[0]) {
			warm[k.Release] = true
		}
		return c.List(*asJSON, c.releaseRows(list, warm), c.releaseTable(list, warm))
	}
	return cmd
}

func (c releaseCommands) releaseTable(list []core.Release, warm map[int]bool) [][]string {
	rows := [][]string{{"RELEASE", "STATE", "COMMIT", "BY", "TRIGGER", "TOOK", "WHEN", "IMAGE", "WHAT"}}
	for _, r := range list {
		what, image := r.Subject, c.image(r)
		if r.Reason != "" {
			what = r.Reason
		}
		if warm[r.Version] {
			image += ", and its machine"
		}
		rows = append(rows, []string{terminal.Version(r.Version), string(r.State), command.Commit(r.Commit),
			r.Pusher, string(r.Trigger), took(r), terminal.Ago(r.Created), image, what})
	}
	return rows
}

type releaseRow struct {
	Version  int         `json:"version"`
	State    core.State  `json:"state"`
	Commit   string      `json:"commit"`
	Subject  string      `json:"subject"`
	Pusher   string      `json:"pusher"`
	Trigger  string      `json:"trigger"`
	Reason   string      `json:"reason,omitempty"`
	Created  time.Time   `json:"created"`
	Finished time.Time   `json:"finished,omitzero"`
	Steps    []core.Step `json:"steps,omitempty"`
	Node     string      `json:"node,omitempty"`
	Of       int         `json:"of,omitempty"` // the version whose image it boots; absent: its own
	Image    bool        `json:"image_kept"`   // whether it can be rolled back to without a build
	Pinned   bool        `json:"pinned"`       // whether that stays so
	Machine  bool        `json:"machine_kept"` // whether a machine of it waits, paused, for a rollback
}

func (c releaseCommands) releaseRows(list []core.Release, warm map[int]bool) []releaseRow {
	rows := []releaseRow{}
	for _, r := range list {
		rows = append(rows, releaseRow{r.Version, r.State, r.Commit, r.Subject, r.Pusher, string(r.Trigger),
			r.Reason, r.Created, r.Finished, r.Steps, r.Manifest.Node, r.ImageOf, c.HasImage(r.Manifest), r.Pinned, warm[r.Version]})
	}
	return rows
}

// image says what a rollback would boot.
func (c releaseCommands) image(r core.Release) string {
	switch {
	case !c.HasImage(r.Manifest):
		return "-"
	case r.Pinned:
		return "pinned"
	case r.ImageOf > 0:
		return "of " + terminal.Version(r.ImageOf)
	default:
		return "kept"
	}
}

func took(r core.Release) string {
	if r.Finished.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%.1fs", r.Finished.Sub(r.Created).Seconds())
}
