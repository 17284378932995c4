package overview

import (
	"fmt"

	"github.com/nodeos-dev/gitd/internal/terminal"
)

// keys are what can be pressed, by what it does: among the apps, and in a log.
var keys = [][2]string{
	{"↑ ↓, k j", "the app above or below; a line of the log"},
	{"home end, g G", "the first and the last app; the begin and the end of the log"},
	{"pgup pgdown, b space", "a page of the log"},
	{"enter, →, l", "the log of the app, as it is written"},
	{"q, esc, ←", "back from a log or from these keys; from the apps: leave"},
	{"ctrl+c", "leave"},
	{"?", "these keys"},
}

// keyLines draws the help.
func keyLines(size terminal.Size) []string {
	lines := []string{terminal.Reverse(terminal.Pad(" gitd: keys    q: back", size.Width)), ""}
	for _, k := range keys {
		lines = append(lines, fmt.Sprintf(" %s  %s", terminal.Pad(k[0], 20), k[1]))
	}
	return lines
}
