package trace

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/nodeos-dev/gitd/internal/core"
)

// most bounds the phases of a trace, and its boots.
const most = 200

// story is one piece of work, until it is over.
type story struct {
	root   trace.Span
	work   core.Work
	phases []core.Phase // one after the other
	boots  []core.Transition
}

// add notes a phase that has ended. What follows a phase of the same name is part of it.
func (s *story) add(p core.Phase) {
	if n := len(s.phases); n > 0 && s.phases[n-1].Name == p.Name {
		s.phases[n-1].To = p.To
		return
	}
	if len(s.phases) < most {
		s.phases = append(s.phases, p)
	}
}

// finish ends the phase in which the work failed, if x says that it has.
func (s *story) finish(x core.Transition) {
	if last := len(s.phases) - 1; failed(x) && last >= 0 && s.phases[last].Name != x.Ended.Phase {
		s.add(core.Phase{Name: x.Ended.Phase, From: s.phases[last].To, To: time.Now()})
	}
}

func failed(x core.Transition) bool { return x.Ended.Result != core.ResultOK }

// during returns the boots that began in a phase.
func (s *story) during(p core.Phase) (found []core.Transition) {
	for _, b := range s.boots {
		if at := b.Boot.Called; !at.Before(p.From) && at.Before(p.To) {
			found = append(found, b)
		}
	}
	return found
}

// size is how many spans send makes.
func (s *story) size() int {
	n := 1 + len(s.phases)
	for _, p := range s.phases {
		for _, b := range s.during(p) {
			n += 1 + len(b.Boot.Times.Steps())
		}
	}
	return n
}

// send makes the spans of the work, which ended with x, and gives them to the SDK.
func (s *story) send(tracer trace.Tracer, x core.Transition) {
	ctx := trace.ContextWithSpan(context.Background(), s.root)
	for i, p := range s.phases {
		in, span := tracer.Start(ctx, p.Name, trace.WithTimestamp(p.From))
		for _, b := range s.during(p) {
			boot(in, tracer, b, p.To)
		}
		if failed(x) && i == len(s.phases)-1 {
			fail(span, x.Reason)
		}
		span.End(trace.WithTimestamp(p.To))
	}
	s.root.SetAttributes(
		attribute.String("gitd.app", s.work.App), attribute.Int("gitd.release", s.work.Release), attribute.String("gitd.commit", s.work.Commit),
		attribute.String("gitd.trigger", string(s.work.Trigger)), attribute.String("gitd.result", string(x.Ended.Result)),
	)
	if !s.work.Push {
		s.root.SetName(string(s.work.Trigger))
	}
	if failed(x) {
		fail(s.root, x.Reason)
	}
	s.root.End()
}

// boot makes the spans of a machine, one for all and one for each step. They are over at end at the latest: a guest has
// a part in the times.
func boot(ctx context.Context, tracer trace.Tracer, x core.Transition, end time.Time) {
	at := x.Boot.Called
	in, span := tracer.Start(ctx, "machine", trace.WithTimestamp(at),
		trace.WithAttributes(attribute.String("gitd.machine", x.Machine), attribute.String("gitd.process", x.Boot.Process.String())))
	for _, step := range x.Boot.Times.Steps() {
		_, part := tracer.Start(in, step.Name, trace.WithTimestamp(at))
		if at = at.Add(step.Took); at.After(end) {
			at = end
		}
		part.End(trace.WithTimestamp(at))
	}
	if x.Reason != "" {
		fail(span, x.Reason)
	}
	span.End(trace.WithTimestamp(at))
}

func fail(span trace.Span, reason string) {
	span.RecordError(errors.New(reason))
	span.SetStatus(codes.Error, reason)
}
