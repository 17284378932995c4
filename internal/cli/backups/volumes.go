// Package backups is the commands about copies: snapshots of volumes, and backups of the whole server.
//
// It owns their words, and that no disk is sent to a terminal. It does not own how a copy is made (packages snapshot
// and backup).
package backups

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/snapshot"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

type commands struct{ command.Shared }

// OfVolumes are the commands about copies of volumes.
func OfVolumes(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.snapshots(), c.snapshot(), c.snapshotsRemove(), c.fork(), c.export(), c.importVolume()}
}

func (c commands) snapshot() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes:snapshot APP VOLUME [NAME]", Short: "keep a copy of a volume as it is now, while the app goes on",
		Example: "volumes:snapshot shop data\nvolumes:snapshot shop data before-migration", Args: command.Args(cobra.RangeArgs(2, 3)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		return c.Copies.Snapshot(cmd.Context(), c.Actor, a[0], a[1], strings.Join(a[2:], ""), c.Out)
	}
	return cmd
}

type snapshotRow struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Size    int64     `json:"size"` // bytes
	Used    int64     `json:"used"` // bytes of the host's disk
}

func (c commands) snapshots() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes:snapshots APP VOLUME", Short: "list the snapshots of a volume",
		Example: "volumes:snapshots shop data", Args: command.Args(cobra.ExactArgs(2)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		all, err := c.Copies.SnapshotsOf(cmd.Context(), a[0], a[1])
		if err != nil {
			return err
		}
		list, rows := []snapshotRow{}, [][]string{{"SNAPSHOT", "CREATED", "SIZE", "USED"}}
		for _, s := range all {
			list = append(list, snapshotRow(s))
			rows = append(rows, []string{s.Name, terminal.Ago(s.Created), units.Bytes(s.Size), units.Bytes(s.Used)})
		}
		return c.List(*asJSON, list, rows)
	}
	return cmd
}

func (c commands) snapshotsRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes:snapshots:remove APP VOLUME NAME", Short: "remove a snapshot of a volume",
		Example: "volumes:snapshots:remove shop data before-migration", Args: command.Args(cobra.ExactArgs(3)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		if err := c.Copies.RemoveSnapshot(cmd.Context(), c.Actor, a[0], a[1], a[2]); err != nil {
			return err
		}
		progress.NewReport(c.Out).Step("Snapshot %s of the volume %s of %s is gone", a[2], a[1], a[0])
		return nil
	}
	return cmd
}

// fromFlag names a snapshot to take instead of the volume.
func fromFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("snapshot", "", "as it was then; empty: as the volume is now")
}

func (c commands) fork() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes:fork APP VOLUME TO [NAME] [--mount /data] [--snapshot NAME]", DisableFlagsInUseLine: true,
		Short:   "give another app a new volume that begins as a copy of one",
		Example: "volumes:fork shop data shop-staging\nvolumes:fork shop data shop old --snapshot before-migration --mount /app/old",
		Args:    command.Args(cobra.RangeArgs(3, 4)),
	}
	from := fromFlag(cmd)
	mount := cmd.Flags().String("mount", "", "where the app finds it; empty: where the other one does")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		for _, app := range []string{a[0], a[2]} {
			if _, err := c.App(cmd.Context(), app, core.RoleAdmin); err != nil {
				return err
			}
		}
		f := snapshot.Fork{App: a[0], Volume: a[1], Snapshot: *from, To: a[2], Name: strings.Join(a[3:], ""), Mount: *mount}
		return c.Copies.Fork(cmd.Context(), c.Actor, f, c.Out)
	}
	return cmd
}

func (c commands) export() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes:export APP VOLUME [--snapshot NAME] > FILE", DisableFlagsInUseLine: true,
		Short: "write the disk of a volume to standard output, while the app goes on",
		Long: "Write the disk of a volume, an ext4 file system, to standard output, as it is at one moment. Where nothing was\n" +
			"written to it there are zeros: `ssh -C` makes little of them on the way, and `cp --sparse=always` on a disk.",
		Example: "volumes:export shop data > data.img", Args: command.Args(cobra.ExactArgs(2)),
	}
	from := fromFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		if c.Terminal != nil {
			return core.Reject("a disk is nothing for a terminal",
				fmt.Sprintf("add a file to the line: volumes:export %s %s > %s-%s.img", a[0], a[1], a[0], a[1]))
		}
		return c.Copies.Export(cmd.Context(), c.Actor, a[0], a[1], *from, c.Out, c.Err)
	}
	return cmd
}

func (c commands) importVolume() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes:import APP VOLUME [--yes] < FILE", DisableFlagsInUseLine: true,
		Short:   "replace what is in a volume by a disk that volumes:export has written",
		Example: "volumes:import shop data < data.img", Args: command.Args(cobra.ExactArgs(2)),
	}
	yes := cmd.Flags().Bool("yes", false, "also while the app runs: it has the new contents from its next start on, and loses what it writes until then")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		return c.Copies.Import(cmd.Context(), c.Actor, a[0], a[1], *yes, c.In, c.Out)
	}
	return cmd
}
