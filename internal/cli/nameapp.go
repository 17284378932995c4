package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// nameApp lets a command that takes an app have its name in a flag as well, as
// Heroku's users type it: `logs -a shop` is `logs shop`. The flag is not in the
// help, where it would stand beside each APP.
func nameApp(cmd *cobra.Command) {
	words := strings.Fields(cmd.Use)
	if len(words) < 2 || strings.Trim(words[1], "[]") != "APP" {
		return
	}
	app := cmd.Flags().StringP("app", "a", "", "the app, in place of the first word")
	cmd.Flags().Lookup("app").Hidden = true
	check, run := cmd.Args, cmd.RunE
	with := func(args []string) []string {
		if cmd.Flags().Changed("app") {
			return slices.Concat([]string{*app}, args)
		}
		return args
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error { return check(cmd, with(args)) }
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return run(cmd, with(args)) }
}
