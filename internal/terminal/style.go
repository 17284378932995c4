package terminal

import (
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// Bold is s in bold.
func Bold(s string) string { return style("1", s) }

// Dim is s with less weight than what is around it.
func Dim(s string) string { return style("2", s) }

// Reverse is s with its colours exchanged.
func Reverse(s string) string { return style("7", s) }

func style(code, s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }

// stateColour colours text by what the state means: green for what serves,
// yellow for what is on its way, red for what needs someone.
func stateColour(state, text string) string {
	switch state {
	case "live", "running", "healthy":
		return style("32", text)
	case "building", "built", "booting", "starting", "draining", "unseen", "waiting":
		return style("33", text)
	case "failed", "down", "crash loop":
		return style("31", text)
	default:
		return Dim(text)
	}
}

// Pad fills s up to width with spaces.
func Pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}

// Cut shortens s to width; an ellipsis says that it goes on.
func Cut(s string, width int) string { return ansi.Truncate(s, width, "…") }
