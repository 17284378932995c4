package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

func (c settingCommands) volumes() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes APP", Short: "list the volumes of an app: disks that every release of it finds again",
		Example: "volumes shop", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleView); err != nil {
			return err
		}
		list, err := c.Core.VolumesOf(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		rows := [][]string{{"VOLUME", "MOUNT", "SIZE", "USED", "CREATED", "IN"}}
		for _, v := range list {
			rows = append(rows, []string{v.Name, v.Mount, units.Bytes(v.Size), usedText(v), terminal.Ago(v.Created), usedBy(v)})
		}
		return c.List(*asJSON, volumeRows(list), rows)
	}
	return cmd
}

type volumeRow struct {
	Name    string    `json:"name"`
	Mount   string    `json:"mount"`
	Size    int64     `json:"size"` // bytes
	Used    int64     `json:"used"` // bytes of the host's disk
	Created time.Time `json:"created"`
	InUse   bool      `json:"in_use"` // a machine that runs has it
	Lost    bool      `json:"lost,omitempty"`
}

func volumeRows(list []apps.VolumeUse) []volumeRow {
	rows := []volumeRow{}
	for _, v := range list {
		rows = append(rows, volumeRow{v.Name, v.Mount, v.Size, v.Used, v.Created, v.Booted, v.Lost})
	}
	return rows
}

// usedText is how much of the host's disk a volume takes, for people.
func usedText(v apps.VolumeUse) string {
	if v.Lost {
		return "file is missing"
	}
	return units.Bytes(v.Used)
}

// usedBy is the machine that has a volume.
func usedBy(v apps.VolumeUse) string {
	if v.Booted {
		return "the running machine"
	}
	return "the next machine"
}

func (c settingCommands) volumesCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes:create APP NAME [--size 1G] [--mount /data]", DisableFlagsInUseLine: true,
		Short: "make an empty volume for an app", Example: "volumes:create shop uploads --size 500M --mount /app/uploads",
	}
	size := cmd.Flags().String("size", "1G", "how much fits in, for example 500M or 20G; taken from the disk as it fills")
	mount := cmd.Flags().String("mount", "/data", "where the app finds it: /data, or a folder below /app")
	cmd.Args = func(cmd *cobra.Command, a []string) error {
		if len(a) == 1 {
			return command.Misuse(cmd, fmt.Errorf("an app and a name are needed, for example: volumes:create APP %.40s --size %.20s --mount %.200s", a[0], *size, *mount))
		}
		return command.Args(cobra.ExactArgs(2))(cmd, a)
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		bytes, err := units.ParseBytes(*size)
		if err != nil {
			return command.Misuse(cmd, err)
		}
		return c.Core.CreateVolume(cmd.Context(), c.Actor, a[0], a[1], bytes, *mount, c.Out)
	}
	return cmd
}

func (c settingCommands) volumesRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "volumes:remove APP NAME --confirm NAME", DisableFlagsInUseLine: true,
		Short:   "remove a volume and all that is in it, for ever",
		Example: "volumes:remove shop uploads --confirm uploads", Args: command.Args(cobra.ExactArgs(2)),
	}
	confirm := cmd.Flags().String("confirm", "", "the volume's name again: what is in it cannot be brought back")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		app, name := a[0], a[1]
		if _, err := c.App(cmd.Context(), app, core.RoleAdmin); err != nil {
			return err
		}
		if *confirm != name {
			return c.askRemoval(cmd.Context(), app, name)
		}
		return c.Core.RemoveVolume(cmd.Context(), c.Actor, app, name, c.Out)
	}
	return cmd
}

// askRemoval says what would be lost, and what to type to lose it.
func (c settingCommands) askRemoval(ctx context.Context, app, name string) error {
	list, err := c.Core.VolumesOf(ctx, app)
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.Name == name {
			return core.Reject(
				fmt.Sprintf("this would remove the volume %q of %s, %s at %s, with the %s in it", name, app, units.Bytes(v.Size), v.Mount, usedText(v)),
				fmt.Sprintf("if that is meant: volumes:remove %s %s --confirm %s", app, name, name))
		}
	}
	return core.Reject(fmt.Sprintf("%s has no volume %q", app, name), "`volumes "+app+"` lists what it has")
}
