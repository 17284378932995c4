package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
)

// errShell is the cause of refusals of what a machine with a shell can run.
var errShell = errors.New("a shell runs it")

// forShell is a refusal of what a machine with a shell can run. hint is the way without one.
func forShell(text, why, hint string) error {
	return &core.Rejection{
		Reason: fmt.Sprintf("the start command %q %s", shorten(text), why),
		Hint:   hint + `; or "nodeos": {"shell": true} in package.json gives its machine a shell`, Err: errShell,
	}
}

// byShell runs a command line as it was written. What else it would need, and a machine has not, is refused here.
func (w *walker) byShell(sc *scope, text string) (*tree, error) {
	for _, name := range shell.Names(text) {
		if strings.TrimPrefix(name, "/bin/") == "bash" && !w.bash {
			return nil, core.Reject(fmt.Sprintf("the start command %q runs bash, and the shell of a machine is busybox's", shorten(text)),
				`write sh in its place, or add "bash" to nodeos.packages in package.json`)
		}
		if _, ok := managers[name]; ok {
			return nil, core.Reject(fmt.Sprintf("the start command %q runs %s in a line that only a shell can run", shorten(text), name),
				"NodeOS has no "+name+": write in its place what it runs, such as `node server.js`")
		}
	}
	words := []string{shell.Sh, "-c", text}
	c := &shell.Call{Text: text, Sources: words}
	for _, word := range words {
		c.Words = append(c.Words, core.Plain(word))
	}
	return w.program(sc, c)
}
