package bases

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// row is what one app runs on.
type row struct {
	App      string            `json:"app"`
	Release  int               `json:"release"`
	Base     string            `json:"base"`
	Parts    map[string]string `json:"parts"` // versions, by name
	Outdated []finding         `json:"outdated"`
	Unread   string            `json:"unread,omitempty"` // why it is not known what the base is made of
	Stopped  bool              `json:"stopped,omitempty"`
}

// rows are those of the apps that the caller may see, without what is outdated.
func (c commands) rows(ctx context.Context) ([]row, error) {
	lives, err := c.Ledger.Lives(ctx)
	if err != nil {
		return nil, err
	}
	apps, err := c.Ledger.Apps(ctx)
	if err != nil {
		return nil, err
	}
	stopped := map[string]bool{}
	for _, a := range apps {
		stopped[a.Name] = a.Stopped
	}
	rows, known := []row{}, map[string]contents.BaseInfo{}
	for _, r := range lives {
		if !c.May(r.App, core.RoleView) {
			continue
		}
		one := row{App: r.App, Release: r.Version, Base: r.Manifest.Base, Outdated: []finding{}, Stopped: stopped[r.App]}
		info, ok := known[r.Manifest.Base]
		if !ok {
			if info, err = c.Contents.Bases(r.Manifest.Base); err != nil {
				one.Unread = "its base cannot be read"
			}
			known[r.Manifest.Base] = info
		}
		one.Parts = parts(r.Manifest.Node, info)
		rows = append(rows, one)
	}
	return rows, nil
}

func (c commands) list() *cobra.Command {
	cmd := &cobra.Command{
		Use: "base:list", Short: "list what each app runs on: kernel, glibc, certificates, Node, and what is outdated",
		Long: "List what each app runs on, and what is newer: on the host (base:update brings it), in the archive of the host's\n" +
			"Debian (the host's own update brings it first), and at npm. What could not be found out is said.",
		Example: "base:list\nbase:list --json", Args: command.Args(cobra.NoArgs),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := c.rows(cmd.Context())
		if err != nil {
			return err
		}
		if len(list) > 0 { // what there is takes a while to ask for
			news := c.Bases.News(cmd.Context())
			for i := range list {
				list[i].Outdated = append(list[i].Outdated, compare(list[i].Parts, news)...)
			}
		}
		rows := [][]string{{"APP", "RELEASE", "BASE", "NODE", "KERNEL", "GLIBC", "CERTIFICATES", "OUTDATED"}}
		for _, r := range list {
			rows = append(rows, []string{r.App, terminal.Version(r.Release), r.Base, r.Parts[nodePart],
				terminal.OrDash(short(r.Parts[kernelPart])), terminal.OrDash(r.Parts[libc]), terminal.OrDash(r.Parts[authority]), r.says()})
		}
		if err := c.List(*asJSON, list, rows); err != nil || *asJSON {
			return err
		}
		for _, line := range whatToType(list) {
			fmt.Fprintln(c.Out, line)
		}
		return nil
	}
	return cmd
}

// whatToType says how what is outdated becomes new.
func whatToType(list []row) (lines []string) {
	found := map[string]bool{}
	for _, r := range list {
		for _, f := range r.Outdated {
			found[f.Where] = true
			found[kernelPart] = found[kernelPart] || f.Part == kernelPart && f.Where == "debian"
		}
	}
	if found["host"] || found["npm"] {
		lines = append(lines, "(host), (npm): `base:update` moves apps onto it")
	}
	if found["debian"] {
		lines = append(lines, "(debian): the host is behind: `apt-get update && apt-get upgrade`, then `base:update`")
	}
	if found[kernelPart] {
		lines = append(lines, "kernel: after that `base:update --kernel`, or `scripts/setup` for Debian's own")
	}
	return lines
}

// says is what is outdated, in one line.
func (r row) says() string {
	if r.Unread != "" {
		return "not known: " + r.Unread
	}
	if len(r.Outdated) == 0 {
		return "no"
	}
	var all []string
	for _, f := range r.Outdated {
		all = append(all, f.String())
	}
	return strings.Join(all, "; ")
}

// overview is what bases are made of, and could be made of.
type overview struct {
	InUse map[string][]string `json:"in_use"` // versions of each part, over all apps
	News  core.BaseNews       `json:"available"`
	Next  string              `json:"next"`           // when bases are updated
	Last  *updateRow          `json:"last,omitempty"` // the newest update
}

func (c commands) base() *cobra.Command {
	cmd := &cobra.Command{
		Use: "base", Short: "show what machines boot from, and what is newer",
		Example: "base\nbase --json", Args: command.Args(cobra.NoArgs),
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, _ []string) error {
		o, err := c.overview(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return c.JSON(o)
		}
		return c.print(o)
	})
	return cmd
}

func (c commands) overview(ctx context.Context) (o overview, err error) {
	o.News = c.Bases.News(ctx)
	list, err := c.rows(ctx)
	if err != nil {
		return o, err
	}
	counts := map[string]map[string]int{}
	for _, r := range list {
		for part, version := range r.Parts {
			if counts[part] == nil {
				counts[part] = map[string]int{}
			}
			counts[part][version]++
		}
	}
	o.InUse = map[string][]string{}
	for part, versions := range counts {
		for _, v := range slices.SortedFunc(maps.Keys(versions), func(a, b string) int {
			return cmp.Or(cmp.Compare(versions[b], versions[a]), cmp.Compare(b, a))
		}) {
			o.InUse[part] = append(o.InUse[part], fmt.Sprintf("%s (%d)", short(v), versions[v]))
		}
	}
	due, err := c.Bases.Due(ctx)
	if err != nil {
		return o, err
	}
	o.Next = nextUpdate(due)
	updates, err := c.Bases.Updates(ctx)
	if err == nil && len(updates) > 0 {
		last := jsonOf(updates[0])
		o.Last = &last
	}
	return o, err
}

func (c commands) print(o overview) error {
	archive := map[string]core.BasePart{}
	for _, p := range o.News.Archive {
		archive[p.Name] = p
	}
	rows := [][]string{{"PART", "IN USE (APPS)", "A NEW BASE HAS", "DEBIAN OR NPM HAS"}}
	for _, p := range o.News.Host {
		rows = append(rows, []string{p.Name, o.inUse(p.Name), text(p), text(archive[p.Name])})
	}
	for _, p := range o.News.Node {
		if used := o.inUseOf(p.Name); used != "" || p.Unknown != "" {
			rows = append(rows, []string{p.Name, terminal.OrDash(used), text(p), text(p)})
		}
	}
	if err := c.Table(rows); err != nil {
		return err
	}
	fmt.Fprintln(c.Out, o.Next)
	if o.Last != nil {
		fmt.Fprintln(c.Out, o.Last.says())
	}
	return nil
}

func (o overview) inUse(part string) string {
	return terminal.OrDash(strings.Join(o.InUse[part], ", "))
}

// inUseOf are the versions of one line of Node.
func (o overview) inUseOf(name string) string {
	line := strings.TrimPrefix(name, nodePart+" ") + "."
	var all []string
	for _, v := range o.InUse[nodePart] {
		if strings.HasPrefix(v, line) {
			all = append(all, v)
		}
	}
	return strings.Join(all, ", ")
}

func text(p core.BasePart) string {
	if p.Version != "" {
		return short(p.Version)
	}
	if p.Unknown != "" {
		return "not known: " + p.Unknown
	}
	return "-"
}

// says is how the newest update went.
func (u updateRow) says() string {
	counts := core.BaseUpdate{Moves: u.Apps}
	what := "update"
	if u.Undo > 0 {
		what = "rollback"
	}
	said := fmt.Sprintf("the last %s, by %s, %s: %d moved, %d stay, %d failed", what, u.By, terminal.Ago(u.Begun),
		counts.Count(core.BaseMoved), counts.Count(core.BaseStays), counts.Count(core.BaseFailed))
	if u.Ended.IsZero() {
		said += fmt.Sprintf("; %d wait, and it goes on", counts.Count(core.BaseWaits))
	}
	return said
}
