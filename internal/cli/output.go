package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"gitd/internal/progress"
)

const (
	gap       = 2 // columns between two cells
	narrowest = 6 // a cell is not cut below this
)

func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

// list answers a listing: v as JSON, or rows (the first is the header) as a
// table. JSON is for programs: its fields are only ever added to.
func (t *tree) list(asJSON bool, v any, rows [][]string) error {
	if asJSON {
		return t.json(v)
	}
	return t.table(rows)
}

func (t *tree) json(v any) error {
	enc := json.NewEncoder(t.Out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// table prints rows in columns. On a terminal it has colours and fits the
// width; elsewhere nothing is cut. Cells are made printable here: whatever
// they hold, no terminal is told anything by it.
func (t *tree) table(rows [][]string) error {
	for _, row := range rows {
		for i := range row {
			row[i] = progress.Printable(row[i])
		}
	}
	widths := columns(rows)
	if t.Terminal != nil {
		fit(widths, t.Terminal.Width)
	}
	var b strings.Builder
	for n, row := range rows {
		b.WriteString(t.line(row, widths, rows[0], n == 0) + "\n")
	}
	_, err := io.WriteString(t.Out, b.String())
	return err
}

func (t *tree) line(row []string, widths []int, header []string, isHeader bool) string {
	var b strings.Builder
	for i, cell := range row {
		cut := ansi.Truncate(cell, widths[i], "…")
		pad := widths[i] - ansi.StringWidth(cut) + gap
		if i == len(row)-1 {
			pad = 0
		}
		switch {
		case t.Terminal == nil:
		case isHeader:
			cut = bold(cut)
		case header[i] == "STATE":
			cut = stateColour(cell, cut)
		}
		b.WriteString(cut + strings.Repeat(" ", pad))
	}
	return b.String()
}

// columns measures the widest cell of each column.
func columns(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	return widths
}

// fit takes from the widest column, again and again, until the table is no
// wider than width.
func fit(widths []int, width int) {
	total := (len(widths) - 1) * gap
	for _, w := range widths {
		total += w
	}
	for ; total > width; total-- {
		widest := 0
		for i, w := range widths {
			if w >= widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= narrowest {
			return
		}
		widths[widest]--
	}
}

func bold(s string) string { return sgr("1", s) }

func sgr(code, s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }

// stateColour colours text by what the state means: green for what serves,
// yellow for what is on its way, red for what needs someone.
func stateColour(state, text string) string {
	switch state {
	case "live", "running", "healthy":
		return sgr("32", text)
	case "building", "built", "booting", "starting", "draining", "waiting":
		return sgr("33", text)
	case "failed", "down", "crash loop":
		return sgr("31", text)
	default:
		return sgr("2", text)
	}
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

// commit is a commit's short name.
func commit(id string) string { return orDash(fmt.Sprintf("%.7s", id)) }

func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return humanize.Time(t)
}
