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
	Trace  string // id of the trace of a push; empty: there is none
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
	also []func(Event)
}

// NewWatch writes events to log and passes them to also, which must not wait.
func NewWatch(log *slog.Logger, also ...func(Event)) *Watch { return &Watch{log, also} }

// Note passes e on.
func (w *Watch) Note(e Event) {
	e.Time = time.Now()
	attrs := []slog.Attr{
		slog.String("event", e.Action), slog.String("result", string(e.Result)),
		slog.String("who", e.Actor), slog.String("from", e.From), slog.String("app", e.App), slog.String("what", e.Detail),
	}
	if e.Trace != "" {
		attrs = append(attrs, slog.String("trace_id", e.Trace))
	}
	w.log.LogAttrs(context.Background(), slog.LevelInfo, "security", attrs...)
	for _, also := range w.also {
		also(e)
	}
}
