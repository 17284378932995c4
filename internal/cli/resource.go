package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

// resourceRow says what an app's machine gets, and who said so: "command", "package.json" or "default"; for memory also
// "found" and "dependencies".
type resourceRow struct {
	MemoryMiB  int        `json:"memory_mib"`
	MemoryFrom core.SetBy `json:"memory_from"`
	CPUs       int        `json:"cpus"`
	CPUsFrom   core.SetBy `json:"cpus_from"`
}

func (c settingCommands) resource() *cobra.Command {
	cmd := &cobra.Command{
		Use: "resource APP [--memory 256M] [--cpus 1]", DisableFlagsInUseLine: true,
		Short: "show or set what each machine of an app gets",
		Long: "Show what each machine of an app gets, or set it and bring up a release with it. What is set\n" +
			"here goes before what package.json says; `default` takes it back.\n\n" +
			"If neither says how much memory, an app that runs out of it at its start is tried again with\n" +
			"twice as much, and what it started with is kept; `--memory default` forgets that, too.",
		Example: "resource shop\nresource shop --memory 512M --cpus 2\nresource shop --memory default",
		Args:    command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	memory := cmd.Flags().String("memory", "", "for example 256M or 1G; default: what package.json says")
	cpus := cmd.Flags().String("cpus", "", "a whole number; default: what package.json says")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		change := *memory != "" || *cpus != ""
		role := core.RoleView
		if change {
			role = core.RoleAdmin
		}
		app, err := c.App(cmd.Context(), a[0], role)
		if err != nil {
			return err
		}
		if !change {
			return c.showResources(cmd, app, *asJSON)
		}
		set, err := c.Settings.Resources(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		if err := errors.Join(parseMemory(*memory, &set.MemoryMiB), parseCPUs(*cpus, &set.CPUs)); err != nil {
			return command.Misuse(cmd, err)
		}
		return c.Core.SetResources(cmd.Context(), c.Actor, a[0], set, c.Out)
	}
	return cmd
}

func (c settingCommands) showResources(cmd *cobra.Command, app core.App, asJSON bool) error {
	set, err := c.Settings.Resources(cmd.Context(), app.Name)
	if err != nil {
		return err
	}
	var asked core.Manifest
	if app.Live > 0 {
		live, err := c.Ledger.Release(cmd.Context(), app.Name, app.Live)
		if err != nil {
			return err
		}
		asked = live.Manifest
	}
	share := core.ShareOf(set, app, asked, c.Defaults)
	return c.List(asJSON, resourceRow{share.MemoryMiB, share.From, share.CPUs, share.CPUsFrom}, [][]string{
		{"RESOURCE", "VALUE", "SET BY", "WHY"},
		{"memory", units.Bytes(int64(share.MemoryMiB) << 20), string(share.From), terminal.OrDash(progress.Printable(share.Because))},
		{"cpus", strconv.Itoa(share.CPUs), string(share.CPUsFrom), "-"},
	})
}

// parseMemory reads "256M" or "1G" into MiB; an empty text changes nothing.
func parseMemory(s string, mib *int) error {
	switch size, err := units.ParseBytes(s); {
	case s == "":
	case s == "default":
		*mib = 0
	case err != nil:
		return fmt.Errorf("--memory %.20q: use a size such as 256M or 1G", s)
	default:
		*mib = int(size >> 20)
	}
	return nil
}

func parseCPUs(s string, cpus *int) error {
	switch n, err := strconv.Atoi(s); {
	case s == "":
	case s == "default":
		*cpus = 0
	case err != nil || n < 1:
		return fmt.Errorf("--cpus %.20q: use a whole number", s)
	default:
		*cpus = n
	}
	return nil
}
