package terminal

import (
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// Gap is how many columns stand between two cells.
const Gap = 2

// narrowest is the width below which no cell is cut.
const narrowest = 6

// WriteTable prints rows in columns; the first row is the header. In a window
// the table has colours and fits the width; without one (nil) nothing is cut.
// Cells are made printable here: whatever they hold, no terminal is told
// anything by it.
func WriteTable(out io.Writer, w *Window, rows [][]string) error {
	for _, row := range rows {
		for i := range row {
			row[i] = progress.Printable(row[i])
		}
	}
	widths := Columns(rows)
	if w != nil {
		Fit(widths, w.Width)
	}
	var b strings.Builder
	for n, row := range rows {
		b.WriteString(line(row, widths, func(column int, cell, cut string) string {
			switch {
			case w == nil:
				return cut
			case n == 0:
				return Bold(cut)
			case rows[0][column] == "STATE":
				return stateColour(cell, cut)
			default:
				return cut
			}
		}))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// line is one row, each cell cut to its column's width and then styled.
func line(row []string, widths []int, styled func(column int, cell, cut string) string) string {
	var b strings.Builder
	for i, cell := range row {
		cut := Cut(cell, widths[i])
		b.WriteString(styled(i, cell, cut))
		if i < len(row)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(cut)+Gap))
		}
	}
	return b.String() + "\n"
}

// Columns measures the widest cell of each column.
func Columns(rows [][]string) []int {
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

// Fit takes from the widest column, again and again, until the table is no
// wider than width.
func Fit(widths []int, width int) {
	total := (len(widths) - 1) * Gap
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
