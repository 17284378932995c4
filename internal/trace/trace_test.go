package trace

import (
	"encoding/hex"
	"log/slog"
	"strings"
	"testing"
	"time"

	otlp "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/trace/tracetest"
)

// newReceiver makes a receiver, which a test may change before the first push.
func newReceiver(t *testing.T) *tracetest.Receiver {
	r := tracetest.New()
	t.Cleanup(r.Close)
	return r
}

// waits waits until spans have come.
func waits(t *testing.T, r *tracetest.Receiver) {
	t.Helper()
	select {
	case <-r.Came:
	case <-time.After(20 * time.Second):
		t.Fatal("no spans come")
	}
}

// rootOf finds the span that is the whole trace.
func rootOf(t *testing.T, r *tracetest.Receiver) *otlp.Span {
	t.Helper()
	for _, s := range r.Spans() {
		if len(s.ParentSpanId) == 0 {
			return s
		}
	}
	t.Fatal("there is no root")
	return nil
}

func begin(t *testing.T, endpoint string) *Traces {
	t.Helper()
	traces, err := New(t.Context(), Config{Endpoint: endpoint, Version: "v1.2.3", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(traces.Close)
	return traces
}

// push tells of a push with these phases, each of which takes a second, and of the boot of a machine in the phase boot.
func push(t *Traces, ended core.Ended, reason string, phases ...string) (id string) {
	began := time.Now().Add(-time.Minute)
	w := core.Work{ID: core.NewWorkID(), Push: true, App: "shop", Began: began}
	tell := func(x core.Transition) {
		now := w
		x.App, x.Work = "shop", &now
		t.Note(x)
	}
	tell(core.Transition{Moment: core.AtReceived})
	w.Release, w.Commit, w.Trigger = 3, strings.Repeat("ab", 20), core.ByPush
	for i, name := range phases {
		from := began.Add(time.Duration(i) * time.Second)
		tell(core.Transition{Moment: core.AtPhase, Phase: core.Phase{Name: name, From: from, To: from.Add(time.Second)}})
		if name == "boot" {
			t.Note(core.Transition{Moment: core.AtUp, App: "shop", Release: 3, Machine: "shop-v3-abcdef", Boot: &core.Boot{
				Process: core.FirstWeb, Called: from.Add(time.Millisecond),
				Times: core.BootTimes{Host: 100 * time.Millisecond, Kernel: 200 * time.Millisecond, Init: 300 * time.Millisecond, Node: time.Hour},
			}})
		}
	}
	tell(core.Transition{Moment: core.AtOver, Ended: ended, Reason: reason})
	return w.ID
}

// TestTraceOfAPush: a push is one trace, with its phases in their order and the boot of its machine below the phase in
// which it booted.
func TestTraceOfAPush(t *testing.T) {
	r := newReceiver(t)
	traces := begin(t, r.URL)
	id := push(traces, core.Ended{Result: core.ResultOK}, "", "receive", "wait", "plan", "deps", "deps", "pack", "boot", "health", "swap")
	waits(t, r)
	const want = `push
  receive
  wait
  plan
  deps
  pack
  boot
    machine
      host
      kernel
      init
      node
  health
  swap
`
	if got := r.Tree(); got != want {
		t.Errorf("the trace is\n%s", got)
	}
	root := rootOf(t, r)
	if got := hex.EncodeToString(root.TraceId); got != id {
		t.Errorf("the trace is %s, and the push %s", got, id)
	}
	attributes := map[string]string{}
	for _, a := range root.Attributes {
		attributes[a.Key] = a.Value.GetStringValue()
	}
	if attributes["gitd.app"] != "shop" || attributes["gitd.result"] != "ok" || attributes["gitd.commit"] != strings.Repeat("ab", 20) {
		t.Errorf("attributes %v", attributes)
	}
	if r.About("service.name") != "gitd" || r.About("service.version") != "v1.2.3" {
		t.Errorf("the resource is %s, %s", r.About("service.name"), r.About("service.version"))
	}
	if names := r.Outside(); names != nil { // whatever a guest says of its boot
		t.Errorf("%v are not within the spans around them", names)
	}
	traces.Close()
	if n := traces.Counts(); n["sent"] != 14 || n["dropped"] != 0 || traces.sent.waiting.Load() != 0 {
		t.Errorf("counts %v, %d wait", n, traces.sent.waiting.Load())
	}
}

// TestTraceOfAFailure: the phase that failed is there, though it has not ended, and has the reason.
func TestTraceOfAFailure(t *testing.T) {
	r := newReceiver(t)
	push(begin(t, r.URL), core.Ended{Result: core.ResultFailed, Phase: "build"}, "npm run build failed", "receive", "plan", "deps")
	waits(t, r)
	const want = `push failed: npm run build failed
  receive
  plan
  deps
  build failed: npm run build failed
`
	if got := r.Tree(); got != want {
		t.Errorf("the trace is\n%s", got)
	}
	if e := rootOf(t, r).Events; len(e) != 1 || e[0].Name != "exception" {
		t.Errorf("events %v", e)
	}
}

// TestCommandWithoutRelease: a command that makes no release, such as one that stops an app, is no trace.
func TestCommandWithoutRelease(t *testing.T) {
	r := newReceiver(t)
	traces := begin(t, r.URL)
	for _, w := range []core.Work{
		{ID: core.NewWorkID(), App: "shop", Began: time.Now()},
		{ID: core.NewWorkID(), App: "shop", Began: time.Now(), Release: 4, Trigger: core.ByRollback},
	} {
		traces.Note(core.Transition{Moment: core.AtReceived, Work: &w})
		if !traces.Traced(w.ID) {
			t.Errorf("%+v is not traced", w)
		}
		traces.Note(core.Transition{Moment: core.AtOver, Work: &w, Ended: core.Ended{Result: core.ResultOK}})
		if traces.Traced(w.ID) {
			t.Errorf("%+v is over, and is traced", w)
		}
	}
	waits(t, r)
	if got := r.Tree(); got != "rollback\n" {
		t.Errorf("the traces are\n%s", got)
	}
}

// TestReceiverAway: a receiver that hangs delays no push. What it misses is counted, and when too many spans wait for
// it, a trace is dropped as a whole.
func TestReceiverAway(t *testing.T) {
	r := newReceiver(t)
	r.Hold = make(chan struct{})
	traces := begin(t, r.URL)
	phases := strings.Fields("receive wait plan deps pack health swap") // 8 spans
	begun := time.Now()
	for range 1000 {
		push(traces, core.Ended{Result: core.ResultOK}, "", phases...)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("1,000 pushes were told of in %s", took)
	}
	n := traces.Counts()
	if n["dropped"] == 0 || n["dropped"] != 8*float64(int(n["dropped"])/8) {
		t.Errorf("counts %v", n)
	}
	close(r.Hold)
	traces.Close()
	if n := traces.Counts(); n["sent"]+n["dropped"] != 8000 {
		t.Errorf("counts %v", n)
	}
}

// TestReceiverRefuses: spans that are refused are counted.
func TestReceiverRefuses(t *testing.T) {
	r := newReceiver(t)
	r.Fail = true
	traces := begin(t, r.URL)
	push(traces, core.Ended{Result: core.ResultOK}, "", "receive")
	traces.Close()
	if n := traces.Counts(); n["failed"] != 2 || n["sent"] != 0 {
		t.Errorf("counts %v", n)
	}
}

// TestNone: without a receiver there are no traces, and nothing fails.
func TestNone(t *testing.T) {
	var traces *Traces
	traces.Note(core.Transition{Moment: core.AtReceived, Work: &core.Work{ID: core.NewWorkID()}})
	if traces.Traced("") {
		t.Error("something is traced")
	}
	traces.Close()
}

// TestWanted: the variables of OpenTelemetry say whether there are traces, as its specification has it.
func TestWanted(t *testing.T) {
	for _, tt := range []struct {
		endpoint, name, value string
		wanted                bool
		refused               string
	}{
		{"", "OTEL_SERVICE_NAME", "x", false, ""},
		{"http://127.0.0.1:4318", "OTEL_SERVICE_NAME", "x", true, ""},
		{"", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", true, ""},
		{"", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces", true, ""},
		{"http://127.0.0.1:4318", "OTEL_SDK_DISABLED", "true", false, ""},
		{"http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER", "none", false, ""},
		{"http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", true, "http/protobuf"},
		{"", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", false, ""},
	} {
		t.Run(tt.name+tt.value, func(t *testing.T) {
			t.Setenv(tt.name, tt.value)
			c := Config{Endpoint: tt.endpoint}
			if c.Wanted() != tt.wanted {
				t.Errorf("wanted: %v", c.Wanted())
			}
			if err := c.Check(); (err == nil) != (tt.refused == "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("checked: %v", err)
			}
		})
	}
}
