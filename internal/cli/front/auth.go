package front

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// setName is the command whose input is a password.
const setName = "auth:set"

// HidesInput reports whether a command line is of a command that reads a secret: what is typed must not be shown.
func HidesInput(words []string) bool { return len(words) > 0 && words[0] == setName }

func (c gateCommands) auth() *cobra.Command {
	cmd := &cobra.Command{
		Use: "auth APP", Short: "list who gets into an app with a password",
		Example: "auth shop\nauth shop --json", Args: command.Args(cobra.ExactArgs(1)),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		set, err := c.rulesOf(cmd.Context(), a[0])
		if err != nil {
			return err
		}
		if len(set.Users) == 0 && !*asJSON {
			return c.say("%s asks for no password; `auth:set %s NAME` sets one", a[0], a[0])
		}
		users, rows := []string{}, [][]string{{"NAME"}}
		for _, u := range set.Users {
			users, rows = append(users, u.Name), append(rows, []string{u.Name})
		}
		return c.List(*asJSON, users, rows)
	}
	return cmd
}

func (c gateCommands) authSet() *cobra.Command {
	cmd := &cobra.Command{
		Use: setName + " APP NAME < PASSWORD", DisableFlagsInUseLine: true,
		Short: "let NAME into an app with a password, and nobody without",
		Long: "Let NAME into an app with a password, which is read from standard input: its first line. On a terminal (ssh -t)\n" +
			"it is asked for, and not shown. From the first on, the front door asks everybody for a name and a password\n" +
			"(HTTP basic authentication). The app gets X-Forwarded-User: NAME in place of the password.",
		Example: setName + " shop ada < password.txt", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		if err := rules.CheckUserName(a[1]); err != nil {
			return err
		}
		password, err := c.password(a[1])
		if err != nil {
			return err
		}
		isNew, err := c.Front.SetUser(cmd.Context(), c.Actor, a[0], a[1], password)
		switch {
		case err != nil:
			return err
		case isNew:
			return c.say("%s gets into %s with this password", a[1], a[0])
		default:
			return c.say("%s has another password for %s", a[1], a[0])
		}
	}
	return cmd
}

// maxLine bounds what is read for a password, in bytes.
const maxLine = 1024

// password reads a line that nobody sees.
func (c gateCommands) password(name string) (string, error) {
	if c.Terminal != nil {
		fmt.Fprintf(c.Err, "Password for %s: ", name)
		defer fmt.Fprintln(c.Err)
	}
	line, err := bufio.NewReader(io.LimitReader(c.In, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", core.Reject("there is no password", "pass it on standard input, as in `"+setName+" APP NAME < password.txt`, or on a terminal: ssh -t")
	}
	return typed(line), nil
}

// typed is what a line says whose typist has used the backspace key.
func typed(line string) string {
	var said []rune
	for _, r := range line {
		switch {
		case r != '\b' && r != 0x7f:
			said = append(said, r)
		case len(said) > 0:
			said = said[:len(said)-1]
		}
	}
	return string(said)
}

func (c gateCommands) authRemove() *cobra.Command {
	cmd := &cobra.Command{
		Use: "auth:remove APP NAME", Short: "end the password of NAME for an app; without any, everybody gets in",
		Example: "auth:remove shop ada", Args: command.Args(cobra.ExactArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := c.App(cmd.Context(), a[0], core.RoleAdmin); err != nil {
			return err
		}
		if err := c.Front.RemoveUser(cmd.Context(), c.Actor, a[0], a[1]); err != nil {
			return err
		}
		set, err := c.Settings.Rules(cmd.Context(), a[0])
		if err == nil && len(set.Users) == 0 {
			return c.say("%s asks for no password any more: everybody gets in", a[0])
		}
		return c.say("%s has no password for %s any more", a[1], a[0])
	}
	return cmd
}
