package trace

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// counted is an exporter that counts. The SDK drops what does not fit into its queue and tells nobody how much: so a
// trace that would not fit is not given to it at all, and is counted here.
type counted struct {
	sdk.SpanExporter
	log *slog.Logger

	waiting, sent, failed, dropped atomic.Int64
	away                           atomic.Bool // the last spans were not taken, and the log says so
}

// takes reports whether n more spans fit into the queue, and counts them in, or as dropped.
func (c *counted) takes(n int) bool {
	if c.waiting.Add(int64(n)) <= queue {
		return true
	}
	c.waiting.Add(-int64(n))
	c.dropped.Add(int64(n))
	return false
}

// ExportSpans implements sdk.SpanExporter.
func (c *counted) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	n := int64(len(spans))
	c.waiting.Add(-n)
	if err != nil {
		c.failed.Add(n)
		if c.away.CompareAndSwap(false, true) {
			c.log.Error("the receiver of traces does not take them; what it misses is counted", "error", err)
		}
		return err
	}
	c.sent.Add(n)
	if c.away.CompareAndSwap(true, false) {
		c.log.Info("the receiver of traces is back")
	}
	return nil
}

// ids gives a trace the id of the work that it is of.
type ids struct{}

type idKey struct{}

func withID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, idKey{}, id)
}

// NewIDs implements sdk.IDGenerator.
func (g ids) NewIDs(ctx context.Context) (id trace.TraceID, span trace.SpanID) {
	text, _ := ctx.Value(idKey{}).(string)
	id, err := trace.TraceIDFromHex(text)
	for i := 0; err != nil && i < len(id); i++ {
		id[i] = byte(rand.Uint32()) //nolint:gosec // a name, and no secret
	}
	return id, g.NewSpanID(ctx, id)
}

// NewSpanID implements sdk.IDGenerator.
func (ids) NewSpanID(context.Context, trace.TraceID) (span trace.SpanID) {
	for !span.IsValid() {
		for i := range span {
			span[i] = byte(rand.Uint32()) //nolint:gosec // a name, and no secret
		}
	}
	return span
}
