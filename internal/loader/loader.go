// Package loader is what Node runs in a machine that has no app yet, until it is told which app it is.
//
// It owns the promise that the app sees nothing of it. It does not own who tells Node (nodeos-init), nor what Node
// cannot learn late (guest.Anew).
package loader

import (
	_ "embed"
	"strings"
)

//go:embed loader.js
var source string

// Source returns the file guest.Loader of a base: what is for readers of the code takes no room in a machine.
func Source() string {
	var b strings.Builder
	for line := range strings.Lines(source) {
		if !strings.HasPrefix(strings.TrimSpace(line), "//") {
			b.WriteString(line)
		}
	}
	return b.String()
}
