package progress

import (
	"strings"
	"unicode"
)

// maxReason bounds the text of a reject line, in bytes.
const maxReason = 200

func OneLine(s string) string {
	s = Printable(strings.ReplaceAll(s, "\n", " "))
	if len(s) > maxReason {
		s = s[:maxReason] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// Printable drops control characters and escape sequences: lines come from npm, from build scripts and from guests, and
// end in somebody's terminal.
func Printable(s string) string {
	if isPlain(s) {
		return s
	}
	s = stripCSI(s)
	return strings.Map(func(c rune) rune {
		if c == '\t' || (unicode.IsPrint(c) && c != unicode.ReplacementChar) {
			return c
		}
		return -1
	}, s)
}

// isPlain reports whether s is printable ASCII, as nearly all lines are: nothing is to be dropped of it.
func isPlain(s string) bool {
	for i := range len(s) {
		if (s[i] < ' ' || s[i] > '~') && s[i] != '\t' {
			return false
		}
	}
	return true
}

// stripCSI removes "ESC [ … letter" as a whole, so that colours do not leave
// "[32m" behind.
func stripCSI(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i+2:]
		end := strings.IndexFunc(s, func(c rune) bool { return c >= '@' && c <= '~' })
		if end < 0 {
			return b.String()
		}
		s = s[end+1:]
	}
}
