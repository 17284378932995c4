package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"mvdan.cc/sh/v3/syntax"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/starter"
)

// new makes a repository from a starter, without a server.
func (h *host) new() *cobra.Command {
	cmd := &cobra.Command{
		Use: "new [STARTER [DIR]]", Short: "make a repository from a starter app; without a name, list the starters",
		Example: "  gitd new express shop", Args: command.Args(cobra.MaximumNArgs(2)),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		starters, err := starter.List()
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return h.listStarters(starters)
		}
		name := args[0]
		if err := known(starters, name); err != nil {
			return command.Misuse(cmd, err)
		}
		return h.makeRepository(cmd.Context(), name, args[len(args)-1])
	}
	return cmd
}

func (h *host) listStarters(starters []starter.Starter) error {
	w := tabwriter.NewWriter(h.out, 0, 0, 2, ' ', 0)
	for _, s := range starters {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s.About)
	}
	return w.Flush()
}

// known answers the name of a starter that does not exist, with those that are spelled like it. cobra measures that for
// commands, so the starters become some.
func known(starters []starter.Starter, name string) error {
	like := &cobra.Command{SuggestionsMinimumDistance: 1 + len(name)/3}
	var names []string
	for _, s := range starters {
		if s.Name == name {
			return nil
		}
		names = append(names, s.Name)
		like.AddCommand(&cobra.Command{Use: s.Name, Run: func(*cobra.Command, []string) {}})
	}
	said := "there is no starter " + strconv.Quote(progress.Shorten(name))
	if near := like.SuggestionsFor(name); len(near) > 0 {
		return errors.New(said + "\nDid you mean this? " + strings.Join(near, ", "))
	}
	return errors.New(said + "; there are " + strings.Join(names, ", "))
}

// makeRepository writes a starter into dir, makes it a git repository, and says what to type next.
func (h *host) makeRepository(ctx context.Context, name, dir string) error {
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("git is not installed: apt install git, and type the same again")
	}
	if err := starter.Write(name, dir); err != nil {
		return err
	}
	if err := git(ctx, dir, "init", "-q", "-b", "main"); err != nil {
		return err
	}
	// Without a name and an address of its author, git would refuse the commit, or make them up from the host's name.
	author := git(ctx, dir, "-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT") == nil
	if author {
		if err := git(ctx, dir, "add", "."); err != nil {
			return err
		}
		if err := git(ctx, dir, "commit", "-q", "-m", "Begin with the starter "+name); err != nil {
			return err
		}
	}
	h.sayNext(name, dir, author)
	return nil
}

// git runs the git of the person who asks, with their settings. What it says is its error.
func git(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, progress.Printable(strings.TrimSpace(string(out))))
	}
	return nil
}

func (h *host) sayNext(name, dir string, committed bool) {
	fmt.Fprintf(h.out, "%s has the starter %s; its README.md says what it does. Next:\n\n", progress.Printable(dir), name)
	if quoted, err := syntax.Quote(dir, syntax.LangPOSIX); err == nil {
		fmt.Fprintf(h.out, "  cd %s\n", quoted)
	}
	if !committed {
		fmt.Fprint(h.out, "  git config --global user.name \"Your Name\"      # git does not know who you are yet\n"+
			"  git config --global user.email you@example.org\n  git add .\n  git commit -m \"Begin with the starter "+name+"\"\n")
	}
	app := "APP"
	if abs, err := filepath.Abs(dir); err == nil && core.CheckName(filepath.Base(abs)) == nil {
		app = filepath.Base(abs)
	}
	fmt.Fprintf(h.out, "  git remote add nodeos ssh://nodeos@HOST:2222/%s\n  git push nodeos main\n", app)
}
