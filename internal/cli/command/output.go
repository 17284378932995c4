package command

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/terminal"
)

func JSONFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

// List answers a listing: v as JSON, or rows (the first is the header) as a
// table. JSON is for programs: its fields are only ever added to.
func (c Shared) List(asJSON bool, v any, rows [][]string) error {
	if asJSON {
		return c.JSON(v)
	}
	return c.Table(rows)
}

func (c Shared) JSON(v any) error {
	enc := json.NewEncoder(c.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (c Shared) Table(rows [][]string) error { return terminal.WriteTable(c.Out, c.Terminal, rows) }

// Commit is a commit's short name.
func Commit(id string) string { return terminal.OrDash(fmt.Sprintf("%.7s", id)) }
