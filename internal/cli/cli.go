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

	"github.com/nodeos-dev/gitd/internal/cli/foreign"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Run executes one command line and returns its exit code.
func Run(ctx context.Context, s Services, c Caller, args []string) int {
	root := &cobra.Command{Use: "gitd", Short: "push Node.js apps into virtual machines of their own"}
	AddCommands(root, s, c)
	return Execute(ctx, root, c, args)
}

// Execute runs args in the tree below root and turns its error into words
// and an exit code, in this one place.
func Execute(ctx context.Context, root *cobra.Command, c Caller, args []string) int {
	root.SetArgs(foreign.Rewrite(args))
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(help())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return misuse(cmd, unknownFlag(err)) })
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if silent, ok := errors.AsType[Silent](err); ok {
		return int(silent)
	}
	if isUnknown(err) {
		err = unknown(cmd, err)
	}
	for l := range strings.SplitSeq(errorText(err), "\n") {
		fmt.Fprintf(c.Err, " !     %s\n", progress.Printable(l))
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	return exitFailed
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
		Use: "help [COMMAND]", Short: "explain a command, or list them", Example: "help logs", Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			about, _, err := cmd.Root().Find(a)
			if err != nil {
				return unknown(cmd.Root(), err)
			}
			return about.Help()
		},
	}
}

// Silent is an error about which the caller was told already. It only carries
// an exit code.
type Silent int

func (s Silent) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// usageError is a command line that cannot be understood.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// misuse answers a wrong command line with the right one.
func misuse(cmd *cobra.Command, err error) error {
	return &usageError{err.Error() + "\nusage: " + cmd.UseLine() + "; `" + cmd.Root().Name() + " help` lists the commands"}
}

// Args is for the commands of a host's tree that are not in this package: it
// checks the positional arguments and answers with the usage line.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs { return args(check) }

// args checks the positional arguments and answers with the usage line.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch err := check(cmd, args); {
		case err == nil:
			return nil
		case isUnknown(err):
			return unknown(cmd, err)
		default:
			return misuse(cmd, err)
		}
	}
}
