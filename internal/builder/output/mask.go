package output

import (
	"net/url"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// leastMasked is the shortest value that is masked, in bytes. Shorter ones ("1", "true", "production") would be found
// everywhere.
const leastMasked = 8

// mask replaces values of config in what a build prints. It is against accidents: a build can print a value in a form
// that nobody recognises.
type mask struct {
	replacer *strings.Replacer
	values   []string
}

func newMask(vars map[string]string) mask {
	var m mask
	var pairs [][2]string
	for name, value := range vars {
		for line := range strings.Lines(value) { // a build's output is masked line by line
			line = strings.TrimSpace(line)
			for _, form := range []string{line, progress.Printable(line), url.QueryEscape(line), url.PathEscape(line)} {
				if len(form) >= leastMasked {
					pairs = append(pairs, [2]string{form, "[" + name + "]"})
				}
			}
		}
	}
	// The longest comes first: one value may be the beginning of another.
	slices.SortFunc(pairs, func(a, b [2]string) int { return len(b[0]) - len(a[0]) })
	var flat []string
	for _, p := range pairs {
		m.values = append(m.values, p[0])
		flat = append(flat, p[:]...)
	}
	m.replacer = strings.NewReplacer(flat...)
	return m
}

func (m mask) line(text string) string { return m.replacer.Replace(text) }

// cut is line for a text whose end was cut off, perhaps in the middle of a value.
func (m mask) cut(text string) string {
	text = m.line(text)
	for _, value := range m.values {
		for n := len(value) - 1; n > 0; n-- {
			if rest, found := strings.CutSuffix(text, value[:n]); found {
				text = rest
				break
			}
		}
	}
	return text
}
