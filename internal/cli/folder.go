package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// buildRow says of what an app is built.
type buildRow struct {
	Dir   string     `json:"dir"`
	SetBy core.SetBy `json:"dir_from"`
}

func (c settingCommands) appsConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use: "apps:config APP [--dir packages/api]", DisableFlagsInUseLine: true,
		Short: "show or set which folder of its repository an app is",
		Long: "Show or set which folder of its repository an app is, for a repository with several apps. It counts\n" +
			"from the next build on, and goes before \"nodeos\": {\"dir\"} in package.json; `default` takes it back,\n" +
			"and . is the root. An app that does not exist yet is made, as by apps:create.",
		Example: "apps:config shop\napps:config shop --dir packages/shop\napps:config shop --dir default",
		Args:    command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	dir := cmd.Flags().String("dir", "", "a folder of the repository; default: what package.json says")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if cmd.Flags().Changed("dir") {
			return c.setFolder(cmd, a[0], *dir)
		}
		app, err := c.App(cmd.Context(), a[0], core.RoleView)
		if err != nil {
			return err
		}
		row := buildRow{app.Dir, core.SetByCommand}
		if row.Dir == "" {
			row = buildRow{"", core.SetByPackage}
		}
		return c.List(*asJSON, row, [][]string{
			{"SETTING", "VALUE", "SET BY"}, {"dir", folderText(app.Dir), string(row.SetBy)},
		})
	}
	return cmd
}

// folderText is an app's folder, as it was set, for people.
func folderText(dir string) string {
	if dir == "" {
		return "what package.json says"
	}
	return progress.Printable(dir)
}

func (c settingCommands) setFolder(cmd *cobra.Command, name, dir string) error {
	if dir == "" {
		return command.Misuse(cmd, errors.New("--dir has no value; `default` takes it back"))
	}
	if err := core.CheckName(name); err != nil {
		return err
	}
	app, err := c.App(cmd.Context(), name, core.RoleDeploy)
	if err != nil && (app.Name != "" || !c.May(name, core.RoleDeploy)) {
		return err
	}
	if dir == "default" {
		dir = ""
	} else if dir, err = core.CleanFolder(dir); err != nil {
		return err
	}
	if err := c.Core.SetFolder(cmd.Context(), c.Actor, name, dir); err != nil {
		return err
	}
	next := "the next push on: git push " + c.Door.Remote(name) + " main"
	if app.Live > 0 {
		next = fmt.Sprintf("the next push on; `ps:rebuild %s` builds what is live again", name)
	}
	_, err = fmt.Fprintf(c.Out, "%s: its folder is %s, from %s\n", name, folderText(dir), next)
	return err
}
