package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

const (
	maxAge   = 24 * time.Hour   // of a message that is tried again
	maxFinal = 5                // attempts at a receiver that says that it will not take a message
	longWait = 10 * time.Minute // between attempts, at most
	quiet    = 10 * time.Minute // in which an app's crashes make one message
)

// hook is a webhook, and what has become of its messages since gitd began.
type hook struct {
	core.Webhook // its App changes with the app's name
	to           outbound.Address
	client       *http.Client
	agent        string
	log          *slog.Logger
	stop         context.CancelFunc
	over         chan struct{}

	told    map[string]time.Time // when each app's last crash was told
	skipped map[string]int       // crashes of each app that were not told since

	mu    sync.Mutex
	state State
}

// State is how a webhook is.
type State struct {
	Error   string    // of the last attempt that failed; empty: none did
	ErrorAt time.Time // zero: none failed
	Trying  bool      // a message waits for the next attempt
}

// follow tells what is recorded, until ctx ends or the webhook's app does.
func (h *hook) follow(ctx context.Context, s *Webhooks) {
	after := h.Seen
	for ctx.Err() == nil {
		for e, err := range audit.Follow(ctx, s.cfg.Ledger, core.EntryRange{After: after}, func() error { return nil }) {
			if err != nil {
				if ctx.Err() == nil {
					h.log.Error("the audit cannot be read for a webhook", "error", err)
				}
				break
			}
			if !h.entry(ctx, s, e) {
				return
			}
			after = e.ID
		}
		outbound.Pause(ctx, time.Second)
	}
}

// entry tells of one entry, and reports whether there is more to do.
func (h *hook) entry(ctx context.Context, s *Webhooks, e core.Entry) bool {
	app := h.app()
	switch to, renamed := strings.CutPrefix(e.Detail, "to "); {
	case app != "" && e.App != app:
		return true
	case app != "" && e.Action == "app.rename" && renamed:
		h.rename(to)
	case app != "" && e.Action == "app.destroy":
		return false
	}
	event := eventOf[e.Action]
	if !slices.Contains(h.Events, event) || h.hushed(event, e) {
		return true
	}
	skipped := h.skipped[e.App]
	delete(h.skipped, e.App)
	return h.tell(ctx, s, e, s.message(event, e, skipped))
}

// hushed reports whether an entry is one of many crashes of an app: one message in a while tells of them.
func (h *hook) hushed(event string, e core.Entry) bool {
	if event != Crashed {
		return false
	}
	if e.Time.Sub(h.told[e.App]) < quiet {
		h.skipped[e.App]++
		return true
	}
	h.told[e.App] = e.Time
	return false
}

// tell tries to tell a message until that is done, it is too old, or the receiver means its refusal. It reports whether
// ctx is still on.
func (h *hook) tell(ctx context.Context, s *Webhooks, e core.Entry, m Message) bool {
	backoff, finals := outbound.Backoff{Longest: longWait}, 0
	for {
		err := h.post(ctx, fmt.Sprintf("msg_%s_%d", h.ID, e.ID), m)
		if ctx.Err() != nil && err != nil {
			return false
		}
		if err == nil {
			return h.done(ctx, s, e, 1, 0, nil)
		}
		var after time.Duration
		if a, ok := errors.AsType[*answer](err); ok {
			if after = a.after; a.final() {
				finals++
			}
		}
		if finals == maxFinal || time.Since(e.Time) > maxAge {
			return h.done(ctx, s, e, 0, 1, err)
		}
		h.failed(err)
		if !outbound.Pause(ctx, backoff.Next(after)) {
			return false
		}
	}
}

// done notes what became of a message.
func (h *hook) done(ctx context.Context, s *Webhooks, e core.Entry, sent, dead int64, err error) bool {
	h.mu.Lock()
	h.Sent, h.Dead, h.state.Trying = h.Sent+sent, h.Dead+dead, false
	if err != nil {
		h.state.Error, h.state.ErrorAt = err.Error(), time.Now()
		h.log.Error("a webhook was not told, and is not tried again", "entry", e.ID, "error", err)
	}
	h.mu.Unlock()
	if err := s.cfg.Ledger.WebhookDone(context.WithoutCancel(ctx), h.ID, e.ID, sent, dead); core.IgnoreMissing(err) != nil {
		h.log.Error("that a webhook was told is not kept: after a restart it is told again", "entry", e.ID, "error", err)
	}
	return ctx.Err() == nil
}

func (h *hook) failed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.state.Trying {
		h.log.Warn("a webhook is not told; trying again", "error", err)
	}
	h.state = State{Error: err.Error(), ErrorAt: time.Now(), Trying: true}
}

func (h *hook) app() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.App
}

func (h *hook) rename(to string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.App = to
}
