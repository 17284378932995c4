package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/syslog"
)

// guard makes the watch that the doors tell who comes, and begins to send the audit to address; empty: to nobody.
func (d *daemon) guard(ctx context.Context, address string) error {
	log := slog.New(zerolog.NewSlogHandler(d.log))
	if address == "" {
		d.watch = audit.NewWatch(log, d.watching.event)
		return nil
	}
	to, err := syslog.ParseAddress(address)
	if err != nil {
		return fmt.Errorf("--audit-syslog: %w", err)
	}
	newest, err := audit.Newest(ctx, d.ledger)
	if err != nil {
		return err
	}
	sender := syslog.New(to, log)
	d.watch, d.sent = audit.NewWatch(log, d.watching.event, sender.Event), &sent{over: make(chan struct{})}
	ctx, d.sent.stop = context.WithCancel(context.WithoutCancel(ctx)) // it outlives the doors, and what they began
	go func() {
		defer close(d.sent.over)
		sender.Run(ctx, d.ledger, newest)
	}()
	return nil
}

// sent is the sending of the audit.
type sent struct {
	stop context.CancelFunc
	over chan struct{}
}

// end sends what is left, for a moment.
func (s *sent) end() {
	if s != nil {
		s.stop()
		<-s.over
	}
}

// maxRefs are as many refs of one push as the log names.
const maxRefs = 5

// pushed tells the watch what became of a push.
func (d *daemon) pushed(p core.Push, verdicts []core.Verdict) {
	e := audit.Event{Action: "push", Result: audit.OK, Actor: p.By.Name, From: p.From, App: p.App}
	var refs []string
	for _, v := range verdicts {
		if v.Reject != "" {
			e.Result = audit.Refused
			v.Ref += ": " + v.Reject
		}
		refs = append(refs, v.Ref)
	}
	if more := len(refs) - maxRefs; more > 0 {
		refs = append(refs[:maxRefs], fmt.Sprintf("and %d more", more))
	}
	e.Detail = strings.Join(refs, ", ")
	if d.watching.traces != nil {
		e.Trace = p.ID
	}
	d.watch.Note(e)
}
