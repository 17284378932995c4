package audit

import (
	"context"
	"log/slog"
	"time"
)

// Event is what happened at a door: who came, from where, what they wanted, and what became of it. It stands in the log
// and not in the trail: strangers make such events, and must not fill the ledger.
type Event struct {
	Time   time.Time
	Action string // "login", "command", "git" or "push"
	Result Result
	Actor  string // whom they proved to be; of a login that failed, whom they say they are
	From   string // address
	App    string // may be empty
	Detail string // may be text of a stranger
}

// Result is what became of an Event.
type Result string

// The results.
const (
	OK      Result = "ok"
	Refused Result = "refused" // by a rule: an unknown key, a missing role, a limit
	Failed  Result = "failed"
)

// Watch is told of events, and passes them on.
type Watch struct {
	log  *slog.Logger
	also func(Event)
}

// NewWatch writes events to log and passes them to also, which must not wait; nil: to nobody.
func NewWatch(log *slog.Logger, also func(Event)) *Watch { return &Watch{log, also} }

// Note passes e on.
func (w *Watch) Note(e Event) {
	e.Time = time.Now()
	w.log.LogAttrs(context.Background(), slog.LevelInfo, "security", slog.String("event", e.Action), slog.String("result", string(e.Result)),
		slog.String("who", e.Actor), slog.String("from", e.From), slog.String("app", e.App), slog.String("what", e.Detail))
	if w.also != nil {
		w.also(e)
	}
}
