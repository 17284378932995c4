package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/terminal"
)

func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

// list answers a listing: v as JSON, or rows (the first is the header) as a
// table. JSON is for programs: its fields are only ever added to.
func (c shared) list(asJSON bool, v any, rows [][]string) error {
	if asJSON {
		return c.json(v)
	}
	return c.table(rows)
}

func (c shared) json(v any) error {
	enc := json.NewEncoder(c.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (c shared) table(rows [][]string) error { return terminal.WriteTable(c.Out, c.Terminal, rows) }

// commit is a commit's short name.
func commit(id string) string { return terminal.OrDash(fmt.Sprintf("%.7s", id)) }
