package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// baseBuild prepares the NodeOS base ahead of the first push. It may run beside a daemon, because a base is a folder
// that appears complete.
func (h *host) baseBuild() *cobra.Command {
	var o options
	cmd := &cobra.Command{Use: "base:build", Short: "prepare the NodeOS base (kernel, init, Node) ahead of the first push", Args: command.Args(cobra.NoArgs)}
	o.builderFlags(cmd.Flags())
	h.userFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.state = h.state
		log, err := logger(h.err, "warn")
		if err != nil {
			return err
		}
		if err := o.firstWrong(cmd.Flags(), o.builderChecks()); err != nil {
			return err
		}
		if err := h.become(cmd.Context(), cmd, log); err != nil {
			return err
		}
		if err := core.StateDir(o.state).Create(); err != nil {
			return err
		}
		taken, end, err := takenBefore(cmd.Context(), core.StateDir(o.state))
		if err != nil {
			return err
		}
		defer end() //nolint:errcheck // what was written is on the disk already
		b, _, err := o.builder(taken, nil, log)
		if err != nil {
			return err
		}
		r := progress.NewReport(h.out)
		id, err := b.PrepareBase(cmd.Context(), r)
		if err != nil {
			return err
		}
		made, err := base.Read(core.StateDir(o.state), id)
		if err == nil {
			r.Done("base %s is ready: Node %s, %s", id, made.Node, made.Kernel)
		}
		return err
	}
	return cmd
}

// baseFiles lists every file of a base and where it comes from.
func (h *host) baseFiles() *cobra.Command {
	cmd := &cobra.Command{Use: "base:files [ID]", Short: "list the files of a base (the newest one) with their size and origin", Args: command.Args(cobra.MaximumNArgs(1))}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		state := core.StateDir(h.state)
		id, err := wantedBase(state, args)
		if err != nil {
			return err
		}
		made, err := base.Read(state, id)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(h.out, made.Root)
		}
		t := tabwriter.NewWriter(h.out, 0, 0, 2, ' ', 0)
		for _, f := range made.Root {
			fmt.Fprintf(t, "%s\t%9s\t%s\t%s\n", f.Mode, humanize.Comma(f.Size), f.Path, f.Origin)
		}
		return t.Flush()
	}
	return cmd
}

// baseSizes measures the parts of a base.
func (h *host) baseSizes() *cobra.Command {
	cmd := &cobra.Command{Use: "base:sizes [ID]", Short: "measure the parts of a base (the newest one)", Args: command.Args(cobra.MaximumNArgs(1))}
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		state := core.StateDir(h.state)
		id, err := wantedBase(state, args)
		if err != nil {
			return err
		}
		sizes, err := base.Measure(cmd.Context(), state, id)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(h.out, sizes)
		}
		return printSizes(h.out, sizes)
	}
	return cmd
}

func printSizes(w io.Writer, s base.Sizes) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "part\tfiles\tplain\tzstd -19\t\n")
	for _, p := range append(s.Parts, s.Total()) {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t\n", p.Part, p.Files, humanize.Comma(p.Plain), humanize.Comma(p.Packed))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Node: %s bytes plain, %s stripped, %s in the image\n",
		humanize.Comma(s.Node.Plain), humanize.Comma(s.Node.Stripped), humanize.Comma(s.Node.InImage))
	return err
}

// wantedBase returns the base that a person names, or the newest one.
func wantedBase(state core.StateDir, args []string) (id string, err error) {
	if len(args) > 0 {
		return args[0], nil
	}
	ids, err := base.List(state)
	if err == nil && len(ids) == 0 {
		err = fmt.Errorf("there is no base in %s yet: gitd base:build makes one", state)
	}
	if err != nil {
		return "", err
	}
	return ids[0], nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // ">=20" is for people too
	e.SetIndent("", "  ")
	return e.Encode(v)
}
