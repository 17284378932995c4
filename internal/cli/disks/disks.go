// Package disks is the command that makes a disk of a release.
//
// It owns its words, and that no disk is sent to a terminal. It does not own what is on a disk (package bootdisk).
package disks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/bootdisk"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

type commands struct{ command.Shared }

// Commands are those of this package.
func Commands(s command.Shared) []*cobra.Command {
	return []*cobra.Command{commands{s}.export()}
}

func (c commands) export() *cobra.Command {
	cmd := &cobra.Command{
		Use: "releases:export APP vN [--format qcow2] [--config] > FILE", DisableFlagsInUseLine: true,
		Short: "write a disk of a release, which boots without gitd, to standard output",
		Long: "Write one disk of a release, as `gitd image` makes it, to standard output. QEMU, libvirt or a cloud boots it\n" +
			"without gitd. The app's config is not on it, unless --config puts its values there, where everybody who has\n" +
			"the disk can read them; that needs the role admin. Volumes are not on it.",
		Example: "releases:export shop v3 > shop-v3.img\nreleases:export shop v3 --format qcow2 > shop-v3.qcow2",
		Args:    command.Args(cobra.ExactArgs(2)),
	}
	format := cmd.Flags().String("format", bootdisk.Raw, "raw, or qcow2, which is compressed")
	config := cmd.Flags().Bool("config", false, "put the app's config on the disk, with its values")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		role := core.RoleDeploy
		if *config {
			role = core.RoleAdmin // as for config:export
		}
		if _, err := c.App(cmd.Context(), a[0], role); err != nil {
			return err
		}
		version, err := command.ParseVersion(a[1])
		if err == nil {
			err = bootdisk.CheckFormat(*format)
		}
		if err != nil {
			return command.Misuse(cmd, err)
		}
		if c.Terminal != nil {
			return core.Reject("a disk is nothing for a terminal",
				fmt.Sprintf("add a file to the line: releases:export %s v%d > %s-v%d.%s", a[0], version, a[0], version, suffix(*format)))
		}
		return c.send(cmd, a[0], version, *format, *config)
	}
	return cmd
}

func suffix(format string) string {
	if format == bootdisk.Raw {
		return "img"
	}
	return format
}

// vars are the variables of an app. Whoever takes their values along has read them.
func (c commands) vars(ctx context.Context, app string, values bool) (map[string]string, error) {
	if values {
		return c.Core.ReadConfig(ctx, c.Actor, app, "")
	}
	return c.Settings.Vars(ctx, app)
}

func (c commands) send(cmd *cobra.Command, app string, version int, format string, config bool) error {
	ctx := cmd.Context()
	rel, err := c.Ledger.Release(ctx, app, version)
	if errors.Is(err, core.ErrNotFound) {
		return core.Reject(fmt.Sprintf("%s has no release v%d", app, version), "`releases "+app+"` lists them")
	}
	if err != nil {
		return err
	}
	vars, err := c.vars(ctx, app, config)
	if err != nil {
		return err
	}
	r := progress.NewReport(c.Err)
	names := strings.Join(slices.Sorted(maps.Keys(vars)), ", ")
	switch {
	case config && names != "":
		r.Warn("the values of %s are on the disk: whoever has it can read them", names)
	case names != "":
		r.Warn("the app's config is not on the disk (%s); --config puts it there", names)
		vars = nil
	}
	return c.Disks.Export(ctx, c.Actor, rel, vars, format, c.Out, r)
}
