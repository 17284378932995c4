package images

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

func (c commands) files() *cobra.Command {
	cmd := &cobra.Command{
		Use: "releases:files APP vN [--layer app] [--digest]", DisableFlagsInUseLine: true,
		Short: "list every file in the image of a release",
		Long: "List every file in the image of a release: what Node and the app find in their machine.\n" +
			"The layers are base (Node and what it stands on; the kernel is in brackets), debian (packages that the app\n" +
			"asks for), deps (node_modules) and app.",
		Example: "releases:files shop v12\nreleases:files shop v12 --layer app --digest\nreleases:files shop v12 --json",
		Args:    command.Args(cobra.ExactArgs(2)),
	}
	layer := cmd.Flags().String("layer", "", "only this layer: "+strings.Join(contents.Names(), ", "))
	digests := cmd.Flags().Bool("digest", false, "the SHA-256 of each file")
	asJSON := command.JSONFlag(cmd)
	return c.reading(cmd, func(ctx context.Context, app core.App, a []string) error {
		if *layer != "" && !slices.Contains(contents.Names(), *layer) {
			return command.Misuse(cmd, fmt.Errorf("there is no layer %.20q: there are %s", *layer, strings.Join(contents.Names(), ", ")))
		}
		r, err := c.release(cmd, app.Name, a[0])
		if err != nil {
			return err
		}
		out := bufio.NewWriter(c.Out)
		if *asJSON {
			err = c.filesJSON(ctx, out, r.Manifest, *layer)
		} else {
			err = c.filesText(ctx, out, r.Manifest, *layer, *digests)
		}
		if err != nil {
			return err
		}
		return out.Flush()
	})
}

// filesText prints a line for each file as it is read, and not a table: a layer may have 500,000 files.
func (c commands) filesText(ctx context.Context, w io.Writer, m core.Manifest, layer string, digests bool) error {
	sums := map[string]*total{}
	for f, err := range c.Contents.Files(ctx, m, layer, digests) {
		if err != nil {
			return err
		}
		if sums[f.Layer] == nil {
			sums[f.Layer] = &total{}
		}
		sums[f.Layer].add(f)
		sum := ""
		if digests {
			sum = fmt.Sprintf("%-64s  ", f.SHA256)
		}
		if _, err := fmt.Fprintf(w, "%s  %9s  %s%s\n", f.Mode, units.Bytes(f.Size), sum, shown(f)); err != nil {
			return err
		}
	}
	all := total{}
	for _, name := range contents.Names() {
		if t := sums[name]; t != nil {
			all.files, all.bytes = all.files+t.files, all.bytes+t.bytes
			fmt.Fprintf(w, "%s: %s\n", name, t)
		}
	}
	if len(sums) > 1 {
		fmt.Fprintf(w, "all: %s\n", all)
	}
	return nil
}

// shown is a file's path as a person reads it.
func shown(f contents.File) string {
	switch {
	case f.Link != "":
		return progress.Printable(f.Path + " -> " + f.Link)
	case f.Mode.IsDir():
		return progress.Printable(f.Path + "/")
	}
	return progress.Printable(f.Path)
}

// total adds up files. Folders do not count.
type total struct {
	files int
	bytes int64
}

func (t *total) add(f contents.File) {
	if !f.Mode.IsDir() {
		t.files, t.bytes = t.files+1, t.bytes+f.Size
	}
}

func (t total) String() string { return fmt.Sprintf("%d files, %s", t.files, units.Bytes(t.bytes)) }

type fileRow struct {
	Layer  string `json:"layer"`
	Path   string `json:"path"` // if it is not UTF-8: quoted as Go does
	Mode   string `json:"mode"`
	Size   int64  `json:"size"`
	Link   string `json:"link,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// filesJSON writes one array, a line for each file.
func (c commands) filesJSON(ctx context.Context, w io.Writer, m core.Manifest, layer string) error {
	before := "[\n"
	for f, err := range c.Contents.Files(ctx, m, layer, true) {
		if err != nil {
			return err
		}
		line, err := json.Marshal(fileRow{f.Layer, textOf(f.Path), f.Mode.String(), f.Size, textOf(f.Link), f.SHA256})
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s%s", before, line); err != nil {
			return err
		}
		before = ",\n"
	}
	if before == "[\n" {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	_, err := io.WriteString(w, "\n]\n")
	return err
}

func textOf(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return strconv.Quote(name)
}
