package main

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// plan says what a push of a folder would do, without a server.
func (h *host) plan() *cobra.Command {
	cmd := &cobra.Command{Use: "plan [DIR]", Short: "what a push of a folder would build and start, and by which rule", Args: command.Args(cobra.MaximumNArgs(1))}
	folder := cmd.Flags().String("dir", "", "the app's folder in the repository, as `apps:config APP --dir` sets it")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		dir := "."
		if len(args) > 0 {
			dir = args[0]
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return fmt.Errorf("%w: name the folder of a repository", err)
		}
		defer root.Close()
		p, err := nodeapp.MakePlan(untracked{root.FS()}, *folder)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(h.out, struct {
				Facts    []nodeapp.Fact `json:"facts"`
				Warnings []string       `json:"warnings,omitempty"`
			}{p.Facts(), p.Warnings})
		}
		return h.printPlan(p)
	}
	return cmd
}

func (h *host) printPlan(p nodeapp.Plan) error {
	w := tabwriter.NewWriter(h.out, 0, 0, 2, ' ', 0)
	for _, f := range p.Facts() {
		rule := f.Rule
		if rule != "" {
			rule = "(" + rule + ")"
		}
		fmt.Fprintln(w, strings.TrimRight(f.Name+"\t"+f.Value+"\t"+rule, "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, warning := range p.Warnings {
		fmt.Fprintln(h.out, "!  "+progress.Printable(warning))
	}
	return nil
}

// untracked hides what a clone of the folder would not have.
type untracked struct{ fs.FS }

// Lstat implements fs.ReadLinkFS.
func (u untracked) Lstat(name string) (fs.FileInfo, error) {
	if name == nodeapp.NodeModules {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist}
	}
	return fs.Lstat(u.FS, name)
}

// ReadLink implements fs.ReadLinkFS.
func (u untracked) ReadLink(name string) (string, error) { return fs.ReadLink(u.FS, name) }
