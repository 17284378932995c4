package bases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

func (c commands) diff() *cobra.Command {
	cmd := &cobra.Command{
		Use: "base:diff OLD NEW | APP", Short: "list every file that differs between two bases, or that an update would change for an app",
		Example: "base:diff 0123456789abcdef fedcba9876543210\nbase:diff shop", Args: command.Args(cobra.RangeArgs(1, 2)),
		DisableFlagsInUseLine: true,
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		was, is, err := c.pair(cmd.Context(), a, *asJSON)
		if err != nil {
			return err
		}
		leave, err := c.Contents.Enter(cmd.Context())
		if err != nil {
			return err
		}
		defer leave()
		list, err := c.changes(cmd.Context(), was, is)
		if err != nil {
			return err
		}
		if len(list) == 0 && !*asJSON {
			_, err := fmt.Fprintf(c.Out, "the bases %s and %s have the same files\n", was, is)
			return err
		}
		rows := [][]string{{"", "PATH", "SIZE", "VERSION"}}
		for _, f := range list {
			rows = append(rows, []string{f.Sign, f.Path, f.sizes(), terminal.OrDash(arrow(f.WasVersion, f.IsVersion))})
		}
		return c.List(*asJSON, list, rows)
	}
	return cmd
}

// pair is which two bases are compared. What an app would get is made for that.
func (c commands) pair(ctx context.Context, a []string, asJSON bool) (was, is string, err error) {
	if len(a) == 2 {
		if !c.Admin {
			return "", "", people.ErrNotAdmin
		}
		return a[0], a[1], nil
	}
	if err := c.mayMove(ctx, a); err != nil {
		return "", "", err
	}
	m, err := c.Bases.Next(ctx, a[0], c.progress(asJSON))
	if err == nil && m.Reason != "" && m.Is.ID == "" {
		err = core.Reject(a[0]+" stays on its base: "+m.Reason, "")
	}
	if err == nil && m.Is == m.Was {
		err = core.Reject(a[0]+" is on the newest base already", "")
	}
	return m.Was.ID, m.Is.ID, err
}

// change is one file that differs.
type change struct {
	Sign       string `json:"sign"` // +, - or ~
	Path       string `json:"path"`
	Was        int64  `json:"was_size"`
	Is         int64  `json:"is_size"`
	WasVersion string `json:"was_version,omitempty"`
	IsVersion  string `json:"is_version,omitempty"`
}

func (f change) sizes() string {
	switch f.Sign {
	case "+":
		return units.Bytes(f.Is)
	case "-":
		return units.Bytes(f.Was)
	}
	return arrow(units.Bytes(f.Was), units.Bytes(f.Is))
}

func arrow(was, is string) string {
	switch {
	case was == is, was == "":
		return is
	case is == "":
		return was
	}
	return was + " → " + is
}

func (c commands) changes(ctx context.Context, was, is string) ([]change, error) {
	var versions [2]map[string]string
	for i, id := range []string{was, is} {
		info, err := c.Contents.Bases(id)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, core.Reject("there is no base "+progress.Shorten(id), "`base:list` shows those of apps")
		}
		if err != nil {
			return nil, err
		}
		versions[i] = map[string]string{"[kernel]": short(info.Kernel), "[initrd]": short(info.Kernel)}
		for _, f := range info.Files {
			versions[i][f.Path] = versionOf(f)
		}
	}
	list := []change{}
	for f, err := range c.Contents.Changes(ctx, core.Manifest{Base: was}, core.Manifest{Base: is}) {
		if err != nil {
			return nil, err
		}
		path := f.Path()
		list = append(list, change{f.Sign(), progress.Printable(path), f.Was.Size, f.Is.Size, versions[0][path], versions[1][path]})
	}
	return list, nil
}

// versionOf is the version of what a file comes from, as far as that is known.
func versionOf(f contents.BaseFile) string {
	if f.Package != "" {
		return f.Package + " " + f.Version
	}
	return f.Origin
}
