package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gitd/internal/deploy"
)

// Commands is the tree's first level. Each entry names itself with a colon
// form ("keys:add"), as Heroku's and Dokku's users type it.
func Commands(s Services, c Caller) []*cobra.Command {
	t := &tree{s, c}
	return []*cobra.Command{
		t.apps(), t.releases(), t.logs(), t.keys(), t.keysAdd(), t.halt(), t.version(),
	}
}

type tree struct {
	Services
	Caller
}

// errAdmin is the answer to a command that the caller may not run.
var errAdmin = errors.New("only an administrator may do this")

func (t *tree) admin() error {
	if !t.Admin {
		return errAdmin
	}
	return nil
}

func (t *tree) apps() *cobra.Command {
	cmd := &cobra.Command{Use: "apps", Short: "list the apps and what they run", Args: args(cobra.NoArgs)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := t.appRows(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(t.Out, list)
		}
		rows := [][]string{{"APP", "RELEASE", "COMMIT", "DEPLOYED", "URL"}}
		for _, a := range list {
			rows = append(rows, []string{a.Name, version(a.Release), orDash(fmt.Sprintf("%.7s", a.Commit)), ago(a.Deployed), a.URL})
		}
		return table(t.Out, rows)
	}
	return cmd
}

type appRow struct {
	Name     string    `json:"name"`
	Release  int       `json:"release"` // 0: nothing is live
	Commit   string    `json:"commit,omitempty"`
	Deployed time.Time `json:"deployed,omitzero"`
	URL      string    `json:"url"`
}

func (t *tree) appRows(ctx context.Context) ([]appRow, error) {
	apps, err := t.Ledger.Apps(ctx)
	if err != nil {
		return nil, err
	}
	rows := []appRow{}
	for _, a := range apps {
		row := appRow{Name: a.Name, Release: a.Live, URL: t.URL(a.Name)}
		if a.Live > 0 {
			rel, err := t.Ledger.Release(ctx, a.Name, a.Live)
			if err != nil {
				return nil, err
			}
			row.Commit, row.Deployed = rel.Commit, rel.Finished
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (t *tree) releases() *cobra.Command {
	cmd := &cobra.Command{Use: "releases APP", Short: "list the releases of an app, the newest first", Args: args(cobra.ExactArgs(1))}
	asJSON := jsonFlag(cmd)
	limit := cmd.Flags().IntP("num", "n", 15, "how many; 0: all")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := t.Ledger.App(cmd.Context(), a[0]); err != nil {
			return noApp(a[0], err)
		}
		list, err := t.Ledger.Releases(cmd.Context(), a[0], max(*limit, 0))
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(t.Out, releaseRows(list))
		}
		rows := [][]string{{"RELEASE", "STATE", "COMMIT", "BY", "TRIGGER", "TOOK", "WHEN", "WHAT"}}
		for _, r := range list {
			what := r.Subject
			if r.Reason != "" {
				what = r.Reason
			}
			rows = append(rows, []string{version(r.Version), string(r.State), fmt.Sprintf("%.7s", r.Commit),
				r.Pusher, string(r.Trigger), took(r), ago(r.Created), what})
		}
		return table(t.Out, rows)
	}
	return cmd
}

type releaseRow struct {
	Version  int           `json:"version"`
	State    deploy.State  `json:"state"`
	Commit   string        `json:"commit"`
	Subject  string        `json:"subject"`
	Pusher   string        `json:"pusher"`
	Trigger  string        `json:"trigger"`
	Reason   string        `json:"reason,omitempty"`
	Created  time.Time     `json:"created"`
	Finished time.Time     `json:"finished,omitzero"`
	Steps    []deploy.Step `json:"steps,omitempty"`
	Node     string        `json:"node,omitempty"`
}

func releaseRows(list []deploy.Release) []releaseRow {
	rows := []releaseRow{}
	for _, r := range list {
		rows = append(rows, releaseRow{r.Version, r.State, r.Commit, r.Subject, r.Pusher, string(r.Trigger),
			r.Reason, r.Created, r.Finished, r.Steps, r.Manifest.Node})
	}
	return rows
}

func (t *tree) logs() *cobra.Command {
	cmd := &cobra.Command{Use: "logs APP [-t] [-n N]", DisableFlagsInUseLine: true, Short: "show what an app said", Args: args(cobra.ExactArgs(1))}
	follow := cmd.Flags().BoolP("tail", "t", false, "go on with new lines, through swaps, until interrupted")
	num := cmd.Flags().IntP("num", "n", 100, "how many lines")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := t.Ledger.App(cmd.Context(), a[0]); err != nil {
			return noApp(a[0], err)
		}
		if *follow {
			lines, err := t.Logs.Follow(cmd.Context(), a[0], max(*num, 0))
			if err != nil {
				return err
			}
			for l := range lines {
				if err := writeLine(t.Out, l); err != nil {
					return err
				}
			}
			return nil
		}
		lines, err := t.Logs.Tail(a[0], max(*num, 0))
		if err != nil {
			return err
		}
		for _, l := range lines {
			if err := writeLine(t.Out, l); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func writeLine(w io.Writer, l deploy.Line) error {
	_, err := fmt.Fprintf(w, "%s v%d %s: %s\n", l.Time.UTC().Format("2006-01-02T15:04:05.000Z"), l.Release, l.Stream, deploy.Printable(l.Text))
	return err
}

func (t *tree) halt() *cobra.Command {
	cmd := &cobra.Command{Use: "halt", Short: "stop every machine and gitd itself; the next start brings them back", Args: args(cobra.NoArgs)}
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := t.admin(); err != nil {
			return err
		}
		t.Halt()
		fmt.Fprintln(t.Out, "stopping: the machines first, then gitd")
		return nil
	}
	return cmd
}

func (t *tree) version() *cobra.Command {
	cmd := &cobra.Command{Use: "version", Short: "print the version", Args: args(cobra.NoArgs)}
	cmd.RunE = func(*cobra.Command, []string) error {
		_, err := fmt.Fprintln(t.Out, "gitd", t.Version)
		return err
	}
	return cmd
}

func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func table(w io.Writer, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		if _, err := fmt.Fprintln(tw, strings.Join(r, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}

func version(v int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("v%d", v)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func took(r deploy.Release) string {
	if r.Finished.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%.1fs", r.Finished.Sub(r.Created).Seconds())
}
