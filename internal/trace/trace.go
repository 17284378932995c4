// Package trace tells a receiver of OpenTelemetry what becomes of each push, and of each command that makes a release.
//
// It owns the form of a trace: its spans, their names and attributes, and how they are sent, by OTLP over HTTP. It does
// not own what happens: it is told of the moments of the core (Note), and makes a trace of them when the work is over.
// Nothing of it waits for the receiver.
package trace

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/nodeos-dev/gitd/internal/core"
)

const (
	queue    = 2048            // spans that wait for the receiver
	soon     = time.Second     // after which a trace is sent
	farewell = 2 * time.Second // for what waits when gitd ends
)

// Config is where traces go.
type Config struct {
	// Endpoint is the URL of a receiver, below which its /v1/traces is; empty: what the environment variables of
	// OpenTelemetry say.
	Endpoint string
	Version  string // of gitd
	Log      *slog.Logger
}

// Wanted reports whether traces are to be sent, by c or by the environment.
func (c Config) Wanted() bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return c.Endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Check says what of c or the environment cannot work.
func (c Config) Check() error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" && c.Wanted() {
			return core.Reject(fmt.Sprintf("%s=%s: gitd sends traces by http/protobuf", name, p),
				"unset it, and name the receiver's port for HTTP, which is 4318 for most")
		}
	}
	return nil
}

// Traces makes and sends traces. Its methods are safe for concurrent use, and a nil *Traces makes none.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	sent     *counted

	mu   sync.Mutex
	open map[string]*story // by the id of the work
}

// New begins to send traces as c says. It does not wait for the receiver.
func New(ctx context.Context, c Config) (*Traces, error) {
	var options []otlptracehttp.Option
	if c.Endpoint != "" {
		to, err := url.JoinPath(c.Endpoint, "v1/traces")
		if err != nil {
			return nil, err
		}
		options = append(options, otlptracehttp.WithEndpointURL(to))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "gitd"), attribute.String("service.version", c.Version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { c.Log.Debug("traces", "error", err) }))
	sent := &counted{SpanExporter: exporter, log: c.Log}
	provider := sdk.NewTracerProvider(
		sdk.WithResource(about), sdk.WithIDGenerator(ids{}), sdk.WithRawSpanLimits(sdk.NewSpanLimits()),
		sdk.WithBatcher(sent, sdk.WithMaxQueueSize(queue), sdk.WithBatchTimeout(soon)),
	)
	return &Traces{provider: provider, tracer: provider.Tracer("gitd"), sent: sent, open: map[string]*story{}}, nil
}

// Close sends what is left, for a moment.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	t.provider.Shutdown(ctx) //nolint:errcheck // what was not sent is counted, and nobody asks any more
}

// Traced reports whether there is a trace of the work with this id, which goes on.
func (t *Traces) Traced(id string) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.open[id]
	return s != nil && s.root.SpanContext().IsSampled()
}

// Counts are the spans so far: those that were sent, those that the receiver did not take, and those that were dropped
// because too many waited for it.
func (t *Traces) Counts() map[string]float64 {
	return map[string]float64{
		"sent": float64(t.sent.sent.Load()), "failed": float64(t.sent.failed.Load()), "dropped": float64(t.sent.dropped.Load()),
	}
}

// Note takes a moment of the core.
func (t *Traces) Note(x core.Transition) {
	switch {
	case t == nil:
	case x.Moment == core.AtReceived:
		t.begin(*x.Work)
	case x.Moment == core.AtUp:
		t.up(x)
	case x.Work != nil:
		t.note(x)
	}
}

func (t *Traces) begin(w core.Work) {
	if w.ID == "" {
		return
	}
	name := "command"
	if w.Push {
		name = "push"
	}
	_, root := t.tracer.Start(withID(context.Background(), w.ID), name, trace.WithTimestamp(w.Began), trace.WithSpanKind(trace.SpanKindServer))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[w.ID] = &story{root: root, work: w}
}

// up notes the boot of a machine with the work that has made its release, if that goes on.
func (t *Traces) up(x core.Transition) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.open {
		if s.work.App == x.App && s.work.Release == x.Release && len(s.boots) < most {
			s.boots = append(s.boots, x)
		}
	}
}

func (t *Traces) note(x core.Transition) {
	t.mu.Lock()
	s := t.open[x.Work.ID]
	if s == nil {
		t.mu.Unlock()
		return
	}
	s.work = *x.Work
	if x.Moment == core.AtPhase {
		s.add(x.Phase)
	}
	if x.Moment == core.AtOver {
		delete(t.open, x.Work.ID)
	}
	t.mu.Unlock()
	if x.Moment == core.AtOver && (s.work.Push || s.work.Release > 0) && s.root.SpanContext().IsSampled() {
		s.finish(x)
		if t.sent.takes(s.size()) {
			s.send(t.tracer, x)
		}
	}
}
