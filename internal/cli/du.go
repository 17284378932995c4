package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/units"
	"github.com/nodeos-dev/gitd/internal/usage"
)

// usageRow is an app's part of the disk, in bytes. Shared is what other apps
// use too, so it does not become free with this one.
type usageRow struct {
	App        string `json:"app"`
	Images     int    `json:"images"`
	Layers     int64  `json:"layers"`
	Shared     int64  `json:"shared"`
	Repository int64  `json:"repository"`
	Cache      int64  `json:"cache"`
	Volumes    int64  `json:"volumes"`
	Logs       int64  `json:"logs"`
	Total      int64  `json:"total"`
}

type diskRow struct {
	Apps     []usageRow `json:"apps"`
	Shared   int64      `json:"shared_layers"`
	Stray    int64      `json:"unused_layers"`
	Bases    int64      `json:"bases"`
	Cache    int64      `json:"cache"`
	Builds   int64      `json:"builds"`
	Machines int64      `json:"machines"`
	Ledger   int64      `json:"ledger"`
	Free     int64      `json:"free"`
	Size     int64      `json:"size"`
	Unread   string     `json:"unread,omitempty"` // what could not be read, and is counted nowhere
}

func (c hostCommands) du() *cobra.Command {
	cmd := &cobra.Command{
		Use: "du", Short: "show what takes room on the disk", Example: "du\ndu --json", Args: command.Args(cobra.NoArgs),
		Long: "Show what takes room on the disk: of each app its kept images (layers that are its own; shared ones are\n" +
			"counted once more below), repository, build cache, volumes and logs, and what all apps use together.",
	}
	asJSON := command.JSONFlag(cmd)
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, _ []string) error {
		u, err := c.Core.Usage(cmd.Context())
		if err != nil {
			return err
		}
		if err := c.List(*asJSON, usageRows(u), usageTable(u)); err != nil || *asJSON || u.Unread == nil {
			return err
		}
		_, err = fmt.Fprintf(c.Out, "\nMore is used than this says:\n%s\n", u.Unread)
		return err
	})
	return cmd
}

func usageRows(u usage.Usage) diskRow {
	row := diskRow{
		Apps: []usageRow{}, Shared: u.Shared, Stray: u.Stray, Bases: u.Bases, Cache: u.Cache, Builds: u.Builds,
		Machines: u.Machines, Ledger: u.Ledger, Free: u.Free, Size: u.Size,
	}
	if u.Unread != nil {
		row.Unread = u.Unread.Error()
	}
	for _, a := range u.Apps {
		row.Apps = append(row.Apps, usageRow{a.App, a.Images, a.Layers, a.Shared, a.Repository, a.Cache, a.Volumes, a.Logs, a.Total()})
	}
	return row
}

func usageTable(u usage.Usage) [][]string {
	rows := [][]string{{"WHAT", "IMAGES", "LAYERS", "REPOSITORY", "CACHE", "VOLUMES", "LOGS", "TOTAL"}}
	for _, a := range u.Apps {
		rows = append(rows, []string{a.App, fmt.Sprint(a.Images), units.Bytes(a.Layers), units.Bytes(a.Repository),
			units.Bytes(a.Cache), units.Bytes(a.Volumes), units.Bytes(a.Logs), units.Bytes(a.Total())})
	}
	for _, x := range []struct {
		what  string
		bytes int64
	}{
		{"(layers of several apps)", u.Shared}, {"(layers of no release)", u.Stray}, {"(bases)", u.Bases},
		{"(Node and npm)", u.Cache}, {"(builds)", u.Builds}, {"(machines)", u.Machines}, {"(ledger)", u.Ledger}, {"(free)", u.Free},
	} {
		rows = append(rows, []string{x.what, "", "", "", "", "", "", units.Bytes(x.bytes)})
	}
	return rows
}
