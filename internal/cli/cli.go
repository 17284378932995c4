// Package cli is the command tree: one implementation for
// `ssh nodeos@HOST CMD` and for `gitd CMD` on the host.
//
// It owns the words, the tables and the exit codes. It does not own what the
// commands act on (Services), nor how a person proved who they are (Caller).
package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/cli/foreign"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Run executes one command line and returns its exit code.
func Run(ctx context.Context, s command.Services, c command.Caller, args []string) int {
	root := &cobra.Command{Use: "gitd", Short: "push Node.js apps into virtual machines of their own"}
	AddCommands(root, s, c)
	return Execute(ctx, root, c, args)
}

// Execute runs args in the tree below root and turns its error into words
// and an exit code, in this one place.
func Execute(ctx context.Context, root *cobra.Command, c command.Caller, args []string) int {
	root.SetArgs(foreign.Rewrite(args))
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(help())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return command.Misuse(cmd, command.UnknownFlag(err)) })
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if silent, ok := errors.AsType[command.Silent](err); ok {
		return int(silent)
	}
	if command.IsUnknown(err) {
		err = command.Unknown(cmd, err)
	}
	if c.Denied != nil && isDenied(err) {
		c.Denied(errorText(err))
	}
	for l := range strings.SplitSeq(errorText(err), "\n") {
		fmt.Fprintf(c.Err, " !     %s\n", progress.Printable(l))
	}
	if _, ok := errors.AsType[*command.UsageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// isDenied reports whether a command ended because its caller may not do that.
func isDenied(err error) bool {
	_, denied := errors.AsType[*command.Denied](err)
	return denied || errors.Is(err, people.ErrNotAdmin)
}

// errorText is what an error says to a person. A rejection speaks for itself,
// with its hint and without those who passed it on. A full disk is explained,
// whichever command met it.
func errorText(err error) string {
	err = disk.Rejected(err)
	var r *core.Rejection
	if !errors.As(err, &r) {
		return err.Error()
	}
	if r.Hint == "" {
		return r.Reason
	}
	return r.Reason + "\n" + r.Hint
}

// help is like cobra's own, but to ask it about a command that does not exist
// is a wrong command line.
func help() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "explain a command, or list them", Example: "help logs", Args: command.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			about, _, err := cmd.Root().Find(a)
			if err != nil {
				return command.Unknown(cmd.Root(), err)
			}
			return about.Help()
		},
	}
}
