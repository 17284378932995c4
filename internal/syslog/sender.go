package syslog

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
	"github.com/nodeos-dev/gitd/internal/rfc5424"
)

const (
	maxQueue  = 4096            // messages that wait for the receiver
	firstWait = time.Second     // before a lost receiver is tried again
	longWait  = time.Minute     // which doubles up to this
	farewell  = 2 * time.Second // for what waits when gitd ends
)

// Sender sends messages to one receiver. Its methods are safe for concurrent use.
type Sender struct {
	to      Address
	log     *slog.Logger
	form    form
	queue   chan []byte
	dropped atomic.Int64
	full    atomic.Bool // the drop has been logged

	conn *rfc5424.Conn // nil: not connected
}

// New makes a Sender, which sends once it runs.
func New(to Address, log *slog.Logger) *Sender {
	return &Sender{to: to, log: log, form: newForm(), queue: make(chan []byte, maxQueue)}
}

// Event takes an event. When too many wait for the receiver, it is dropped and counted.
func (s *Sender) Event(e audit.Event) {
	select {
	case s.queue <- s.form.event(e):
	default:
		s.dropped.Add(1)
		if s.full.CompareAndSwap(false, true) {
			s.log.Error("events are not sent to syslog: too many wait for it", "receiver", s.to.String())
		}
	}
}

// Run sends events, and the entries of trail that are recorded after the one with the id after, until ctx ends. An
// entry waits in the ledger until there is room for it here, so that none is dropped while gitd runs.
func (s *Sender) Run(ctx context.Context, trail audit.Source, after int64) {
	followed := make(chan int64, 1)
	go func() { followed <- s.follow(ctx, trail, after) }()
	defer s.hangUp()
	for {
		select {
		case m := <-s.queue:
			if !s.deliver(ctx, m) {
				s.dropped.Add(1)
			}
			s.tellDropped()
		case <-ctx.Done():
			s.end(trail, <-followed)
			return
		}
	}
}

// follow puts entries into the queue until ctx ends, and returns the id of the last one.
func (s *Sender) follow(ctx context.Context, trail audit.Source, after int64) int64 {
	for ctx.Err() == nil {
		for e, err := range audit.Follow(ctx, trail, core.EntryRange{After: after}, func() error { return nil }) {
			if err != nil {
				if ctx.Err() == nil {
					s.log.Error("the audit cannot be read for syslog", "error", err)
				}
				break
			}
			select {
			case s.queue <- s.form.entry(e):
				after = e.ID
			case <-ctx.Done():
				return after
			}
		}
		outbound.Pause(ctx, firstWait)
	}
	return after
}

// end sends what waits when gitd ends, and the entries of its end, for a moment at most.
func (s *Sender) end(trail audit.Source, after int64) {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	left := int64(len(s.queue))
	for ; left > 0 && s.deliver(ctx, <-s.queue); left-- {
	}
	for e, err := range audit.Read(ctx, trail, core.EntryRange{After: after}) {
		if err != nil || !s.deliver(ctx, s.form.entry(e)) {
			left++
			break
		}
	}
	if n := left + s.dropped.Load(); n > 0 {
		s.log.Error("events were not sent to syslog; `gitd events` has those of the audit", "count", n, "receiver", s.to.String())
	}
}

// deliver sends a message, and tries until it is sent or ctx ends.
func (s *Sender) deliver(ctx context.Context, m []byte) bool {
	for wait := firstWait; ; wait = min(2*wait, longWait) {
		err := s.write(ctx, m)
		if err == nil {
			if wait > firstWait {
				s.log.Info("syslog is back", "receiver", s.to.String())
			}
			return true
		}
		s.hangUp()
		if ctx.Err() != nil {
			return false
		}
		if wait == firstWait {
			s.log.Error("syslog does not take what it is sent; trying again", "receiver", s.to.String(), "error", err)
		}
		if !outbound.Pause(ctx, wait) {
			return false
		}
	}
}

// write sends a message, on a new connection if there is none.
func (s *Sender) write(ctx context.Context, m []byte) error {
	if s.conn == nil {
		conn, framed, err := s.to.dial(ctx)
		if err != nil {
			return err
		}
		s.conn = rfc5424.NewConn(conn, framed)
	}
	return s.conn.Send(m)
}

func (s *Sender) hangUp() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// tellDropped says how many were dropped, once there is room again: in the log, and to the receiver.
func (s *Sender) tellDropped() {
	if len(s.queue) > maxQueue/2 {
		return
	}
	if n := s.dropped.Swap(0); n > 0 {
		s.full.Store(false)
		s.log.Error("events were not sent to syslog", "count", n, "receiver", s.to.String())
		s.Event(audit.Event{Time: time.Now(), Action: "syslog.dropped", Result: audit.Failed, Actor: "gitd", Detail: fmt.Sprintf("%d events were not sent", n)})
	}
}
