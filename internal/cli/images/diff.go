package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

func (c commands) diff() *cobra.Command {
	cmd := &cobra.Command{
		Use: "releases:diff APP vA vB [--files]", DisableFlagsInUseLine: true,
		Short: "show how the images of two releases differ",
		Long: "Show how the images of two releases differ: Node, the start, settings, packages and files.\n" +
			"Config is no part of an image.",
		Example: "releases:diff shop v11 v12\nreleases:diff shop v11 v12 --files", Args: command.Args(cobra.ExactArgs(3)),
	}
	all := cmd.Flags().Bool("files", false, "every file that differs")
	asJSON := command.JSONFlag(cmd)
	return c.reading(cmd, func(ctx context.Context, app core.App, a []string) error {
		was, err := c.release(cmd, app.Name, a[0])
		if err != nil {
			return err
		}
		is, err := c.release(cmd, app.Name, a[1])
		if err != nil {
			return err
		}
		d, err := c.compare(ctx, was, is, *all)
		if err != nil {
			return err
		}
		if *asJSON {
			return c.JSON(d)
		}
		return c.diffText(d)
	})
}

// diff is how two images differ. Its JSON is for programs.
type diff struct {
	From     string                `json:"from"`
	To       string                `json:"to"`
	Settings []changed             `json:"settings"` // of the manifests
	Packages []changed             `json:"packages"` // versions; several are separated by spaces
	Layers   map[string]*layerDiff `json:"layers"`
	Files    []fileChange          `json:"files"`
	Omitted  int                   `json:"files_omitted,omitempty"`
}

// changed is a name with what it was and is; "" for what is not there.
type changed struct {
	Name string `json:"name"`
	Was  string `json:"was,omitempty"`
	Is   string `json:"is,omitempty"`
}

type layerDiff struct {
	Added   int   `json:"added"`
	Removed int   `json:"removed"`
	Changed int   `json:"changed"`
	Bytes   int64 `json:"bytes"` // by which the files became larger
}

type fileChange struct {
	Sign string `json:"sign"` // +, - or ~
	Path string `json:"path"`
	Was  int64  `json:"was_size"`
	Is   int64  `json:"is_size"`
	Link string `json:"link,omitempty"`
}

// Limits of what is listed.
const (
	screen  = 20      // of each kind, unless all are asked for
	maxDiff = 200_000 // files
)

func (c commands) compare(ctx context.Context, was, is core.Release, all bool) (*diff, error) {
	d := &diff{
		From: fmt.Sprintf("v%d", was.Version), To: fmt.Sprintf("v%d", is.Version),
		Settings: []changed{}, Packages: []changed{}, Layers: map[string]*layerDiff{}, Files: []fileChange{},
	}
	var err error
	if d.Settings, err = settings(was.Manifest, is.Manifest); err != nil {
		return nil, err
	}
	if !slices.Equal(was.Manifest.Layers(), is.Manifest.Layers()) {
		if d.Packages, err = c.packages(ctx, was.Manifest, is.Manifest); err != nil {
			return nil, err
		}
	}
	for f, err := range c.Contents.Changes(ctx, was.Manifest, is.Manifest) {
		if err != nil {
			return nil, err
		}
		d.add(f, all)
	}
	return d, nil
}

// add counts a file. Those of node_modules and of the base are many, and packages say more: they are listed only when
// all are asked for.
func (d *diff) add(f contents.Change, all bool) {
	l := d.Layers[f.Layer()]
	if l == nil {
		l = &layerDiff{}
		d.Layers[f.Layer()] = l
	}
	*map[string]*int{"+": &l.Added, "-": &l.Removed, "~": &l.Changed}[f.Sign()]++
	l.Bytes += f.Is.Size - f.Was.Size
	if all && len(d.Files) < maxDiff || f.Layer() == contents.App && len(d.Files) < screen {
		d.Files = append(d.Files, fileChange{f.Sign(), textOf(f.Path()), f.Was.Size, f.Is.Size, textOf(f.Is.Link)})
		return
	}
	if all || f.Layer() == contents.App {
		d.Omitted++
	}
}

func (c commands) packages(ctx context.Context, a, b core.Manifest) ([]changed, error) {
	was, errA := c.Contents.Packages(ctx, a)
	is, errB := c.Contents.Packages(ctx, b)
	if err := errors.Join(errA, errB); err != nil {
		return nil, err
	}
	before, after := versions(was, a), versions(is, b)
	return between(before, after, func(versions []string) string { return strings.Join(versions, " ") }), nil
}

// versions are those of npm's packages, and of Debian's.
func versions(p *contents.Packages, m core.Manifest) map[string][]string {
	all := p.Versions()
	for _, d := range m.Packages {
		all["debian: "+d.Name] = []string{d.Version}
	}
	return all
}

// between lists the names whose values differ.
func between[V any](was, is map[string]V, text func(V) string) []changed {
	list := []changed{}
	names := maps.Clone(was)
	maps.Copy(names, is)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		one := changed{Name: name}
		if v, ok := was[name]; ok {
			one.Was = text(v)
		}
		if v, ok := is[name]; ok {
			one.Is = text(v)
		}
		if one.Was != one.Is {
			list = append(list, one)
		}
	}
	return list
}

// settings compares all of two manifests but the layers, of which the files are compared.
func settings(a, b core.Manifest) ([]changed, error) {
	was, errA := fields(a)
	is, errB := fields(b)
	return between(was, is, func(v json.RawMessage) string { return string(v) }), errors.Join(errA, errB)
}

func fields(m core.Manifest) (map[string]json.RawMessage, error) {
	start := make([]string, len(m.Run))
	for i, s := range m.Run {
		start[i] = s.String()
	}
	m.Run = nil
	b, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, err
	}
	for _, name := range []string{"run", "app", "deps", "debian", "packages", "made"} {
		delete(all, name)
	}
	if len(start) > 0 {
		all["start"] = json.RawMessage(strings.Join(start, "; "))
	}
	return all, nil
}

func (c commands) diffText(d *diff) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s → %s\n", d.From, d.To)
	d.list(&b, "settings", d.Settings, len(d.Files) > screen)
	d.list(&b, "packages", d.Packages, len(d.Files) > screen)
	for _, name := range contents.Names() {
		if l := d.Layers[name]; l != nil {
			fmt.Fprintf(&b, "files of %s: %d added, %d removed, %d changed, %s\n", name, l.Added, l.Removed, l.Changed, signed(l.Bytes))
		}
	}
	for _, f := range d.Files {
		fmt.Fprintf(&b, "  %s %s  %s\n", f.Sign, progress.Printable(f.Path), f.sizes())
	}
	if d.Omitted > 0 {
		fmt.Fprintf(&b, "  and %d more: --files lists all\n", d.Omitted)
	}
	if len(d.Settings)+len(d.Packages)+len(d.Layers) == 0 {
		b.WriteString("the same image\n")
	}
	_, err := c.Out.Write([]byte(b.String()))
	return err
}

// list prints what changed of one kind.
func (d *diff) list(b *strings.Builder, title string, list []changed, all bool) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "%s: %d changed\n", title, len(list))
	for i, one := range list {
		if i == screen && !all {
			fmt.Fprintf(b, "  and %d more: --files lists all\n", len(list)-screen)
			return
		}
		sign, text := "~", one.Was+" → "+one.Is
		switch {
		case one.Was == "":
			sign, text = "+", one.Is
		case one.Is == "":
			sign, text = "-", one.Was
		}
		fmt.Fprintf(b, "  %s %s  %s\n", sign, progress.Printable(one.Name), progress.Printable(text))
	}
}

func (f fileChange) sizes() string {
	switch {
	case f.Sign == "+":
		return units.Bytes(f.Is)
	case f.Sign == "-":
		return units.Bytes(f.Was)
	case f.Was == f.Is:
		return units.Bytes(f.Is) + " as before"
	}
	return units.Bytes(f.Was) + " → " + units.Bytes(f.Is)
}

func signed(n int64) string {
	if n < 0 {
		return "-" + units.Bytes(-n)
	}
	return "+" + units.Bytes(n)
}
