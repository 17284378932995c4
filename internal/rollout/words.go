package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

// way is where a move leads, for people.
func way(m core.BaseMove) string {
	node := "Node " + m.Is.Node
	if m.Was.Node != m.Is.Node {
		node = "Node " + m.Was.Node + " → " + m.Is.Node
	}
	return fmt.Sprintf("%s, base %s → %s", node, m.Was.ID, m.Is.ID)
}

// action is the name of an update's entries in the audit.
func action(u core.BaseUpdate) string {
	if u.Undo > 0 {
		return "base.rollback"
	}
	return "base.update"
}

// outcome is what became of one app, for the audit.
func outcome(m core.BaseMove) string {
	if m.State == core.BaseMoved {
		return fmt.Sprintf("v%d, %s, in %s", m.Release, way(m), units.Took(m.Took))
	}
	return fmt.Sprintf("%s on base %s: %s", m.State, m.Was.ID, m.Reason)
}

// result is what became of all of them.
func result(u core.BaseUpdate) string {
	if len(u.Moves) == 0 {
		return "every app is on the newest base"
	}
	text := fmt.Sprintf("%d moved, %d stay, %d failed", u.Count(core.BaseMoved), u.Count(core.BaseStays), u.Count(core.BaseFailed))
	var failed []string
	for _, m := range u.Moves {
		if m.State == core.BaseFailed {
			failed = append(failed, m.App)
		}
	}
	if len(failed) > 0 {
		text += " (" + strings.Join(failed, ", ") + ")"
	}
	if n := u.Count(core.BaseWaits); n > 0 {
		text += fmt.Sprintf(", %d not begun: it was interrupted", n)
	}
	return text
}

func entry(app string, by core.Actor, action, detail string) core.Entry {
	return core.Entry{Time: time.Now(), App: app, Actor: by.Name, Action: action, Detail: detail}
}
