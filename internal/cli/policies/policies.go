// Package policies is the commands that say what may be deployed to an app.
//
// It owns their words. It does not own the rules (packages apps and deploy).
package policies

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
)

type commands struct{ command.Shared }

// Commands are those of this package, in the order of `help`.
func Commands(s command.Shared) []*cobra.Command {
	return []*cobra.Command{commands{s}.onlyTags()}
}

func (c commands) onlyTags() *cobra.Command {
	cmd := &cobra.Command{
		Use: "deploys:only-tags APP [on|off]", Short: "show or set whether tags alone deploy an app, and not its branch",
		Long: "Show or set whether tags alone deploy an app. With on, a push of its branch is refused, and a tag that is\n" +
			"pushed by itself deploys what it names: git push REMOTE v1.2.3.",
		Example: "deploys:only-tags shop on", Args: command.Args(cobra.RangeArgs(1, 2)),
		ValidArgs: []string{"on", "off"},
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if len(a) == 2 {
			return c.setOnlyTags(cmd, a[0], a[1])
		}
		app, err := c.App(cmd.Context(), a[0], core.RoleView)
		if err != nil {
			return err
		}
		return c.List(*asJSON, map[string]bool{"only_tags": app.OnlyTags}, [][]string{{"POLICY", "VALUE"}, {"only tags deploy", onOff(app.OnlyTags)}})
	}
	return cmd
}

func (c commands) setOnlyTags(cmd *cobra.Command, name, word string) error {
	if word != "on" && word != "off" {
		return command.Misuse(cmd, fmt.Errorf("%q: write on or off", word))
	}
	app, err := c.App(cmd.Context(), name, core.RoleAdmin)
	if err != nil {
		return err
	}
	if err := c.Policies.SetOnlyTags(cmd.Context(), c.Actor, app.Name, word == "on"); err != nil {
		return err
	}
	said := "its branch deploys it, and so does a tag that is pushed alone"
	if word == "on" {
		said = "tags alone deploy it: git tag v1.2.3 && git push " + c.Door.Remote(app.Name) + " v1.2.3"
	}
	_, err = fmt.Fprintf(c.Out, "%s: %s\n", app.Name, said)
	return err
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
