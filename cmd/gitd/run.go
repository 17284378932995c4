package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/builder"
	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/cli/backups"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/core"
)

// sandboxCommand is the argument with which the builder runs this program inside a sandbox.
const sandboxCommand = "sandbox"

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 1 && args[1] == sandboxCommand {
		return builder.SandboxMain(args[2:])
	}
	h := &host{in: stdin, out: stdout, err: stderr}
	return cli.Execute(ctx, h.root(), command.Caller{In: stdin, Out: stdout, Err: stderr}, args[1:])
}

// host is the program as a person on the host sees it.
type host struct {
	state    string
	user     string // as whom gitd runs, if root starts it
	in       io.Reader
	out, err io.Writer
}

// root returns the command tree on the host: the commands that run here, and those that are passed on to the daemon.
func (h *host) root() *cobra.Command {
	root := &cobra.Command{Use: "gitd", Short: "push Node.js apps into virtual machines of their own"}
	root.PersistentFlags().StringVar(&h.state, "state", defaultState(), "folder that holds everything (GITD_STATE)")
	here := []*cobra.Command{h.serve(), h.baseBuild(), h.baseFiles(), h.baseSizes(), h.ledgerRestore(), h.ledgerAdopt(), h.plan(), h.new(), h.image(), restore(h), backupCheck(h)}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		flags := root.PersistentFlags()
		// The flags of a command for the daemon say what one person wants once. GITD_ADMIN, left in a shell, must not
		// make an administrator.
		if slices.Contains(here, cmd) {
			flags = cmd.Flags()
		}
		if err := fromEnvironment(flags); err != nil {
			return err
		}
		abs, err := filepath.Abs(h.state)
		h.state = abs
		return err
	}
	cli.AddCommands(root, command.Services{Version: buildVersion()}, command.Caller{Actor: core.Host(), Out: h.out})
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "version":
		case backups.Name:
			cmd.RunE = func(cmd *cobra.Command, args []string) error { return backup(h, cmd, args) }
		default:
			cmd.RunE = h.forward
		}
	}
	root.AddCommand(here...)
	return root
}

// forward runs a command in the daemon. Whoever can open the daemon's socket is an administrator there.
func (h *host) forward(cmd *cobra.Command, args []string) error {
	if cmd.Name() == cli.UpgradeName {
		if err := renew(core.StateDir(h.state)); err != nil {
			return err
		}
	}
	words := []string{cmd.Name()}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		for _, v := range values(f) {
			if f.Name != "state" {
				words = append(words, "--"+f.Name+"="+v)
			}
		}
	})
	words = append(append(words, "--"), args...)
	call, streams := control.Call{Name: "cli", Args: words}, control.Streams{In: h.in, Out: h.out, Err: h.err}
	defer h.terminal(cmd, &call, &streams)()
	code, err := control.Do(cmd.Context(), core.StateDir(h.state).Socket(), call, streams)
	if err != nil && cmd.Context().Err() == nil {
		if streams.Resized != nil {
			fmt.Fprint(h.out, leaveScreen)
		}
		return err
	}
	if code != 0 {
		return command.Silent(code)
	}
	return nil
}

// variable is the annotation of a flag that was set from its variable: the variable's name.
const variable = "variable"

// fromEnvironment sets each flag that was not given from its environment variable: --ssh from GITD_SSH, --boot-timeout
// from GITD_BOOT_TIMEOUT.
func fromEnvironment(flags *pflag.FlagSet) error {
	var wrong []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "GITD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || f.Changed {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			wrong = append(wrong, fmt.Errorf("%s=%q: %w", name, value, err))
			return
		}
		f.Annotations = map[string][]string{variable: {name}}
	})
	return errors.Join(wrong...)
}
