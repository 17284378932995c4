// Package tracetest is a receiver of OpenTelemetry for tests: OTLP over HTTP, read with OpenTelemetry's own module.
package tracetest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Receiver takes what is posted to /v1/traces. Hold and Fail are set before the first request.
type Receiver struct {
	*httptest.Server
	Came chan struct{} // gets a token for each request that was taken
	Hold chan struct{} // not nil: requests wait until it is closed
	Fail bool          // requests are refused

	mu    sync.Mutex
	about map[string]string
	spans []*otlp.Span
}

// New begins to receive. The caller closes it.
func New() *Receiver {
	r := &Receiver{Came: make(chan struct{}, 1000), about: map[string]string{}}
	r.Server = httptest.NewServer(r)
	return r
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if r.Hold != nil {
		<-r.Hold
	}
	m, err := read(q)
	if r.Fail || err != nil {
		http.Error(w, fmt.Sprint(err), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	for _, rs := range m.ResourceSpans {
		for _, a := range rs.Resource.Attributes {
			r.about[a.Key] = a.Value.GetStringValue()
		}
		for _, ss := range rs.ScopeSpans {
			r.spans = append(r.spans, ss.Spans...)
		}
	}
	r.mu.Unlock()
	r.Came <- struct{}{}
}

func read(q *http.Request) (*collector.ExportTraceServiceRequest, error) {
	if q.URL.Path != "/v1/traces" || q.Header.Get("Content-Type") != "application/x-protobuf" {
		return nil, fmt.Errorf("%s of %s", q.URL.Path, q.Header.Get("Content-Type"))
	}
	body := io.Reader(q.Body)
	if q.Header.Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(q.Body); err != nil {
			return nil, err
		}
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	m := &collector.ExportTraceServiceRequest{}
	return m, proto.Unmarshal(text, m)
}

// Spans are those that have come.
func (r *Receiver) Spans() []*otlp.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.spans)
}

// About is what the sender says of itself: the attributes of its resource.
func (r *Receiver) About(key string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.about[key]
}

// Tree is the spans as text, each below its parent, in the order of their beginning, and with why it failed.
func (r *Receiver) Tree() string {
	all := r.Spans()
	slices.SortStableFunc(all, func(a, b *otlp.Span) int { return cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano) })
	var b strings.Builder
	var below func(parent []byte, depth int)
	below = func(parent []byte, depth int) {
		for _, s := range all {
			if !bytes.Equal(s.ParentSpanId, parent) {
				continue
			}
			b.WriteString(strings.Repeat("  ", depth) + s.Name)
			if s.Status.GetCode() == otlp.Status_STATUS_CODE_ERROR {
				b.WriteString(" failed: " + s.Status.Message)
			}
			b.WriteByte('\n')
			below(s.SpanId, depth+1)
		}
	}
	below(nil, 0)
	return b.String()
}

// Outside are the spans that are not within the one around them, by their names.
func (r *Receiver) Outside() (names []string) {
	of := map[string]*otlp.Span{}
	for _, s := range r.Spans() {
		of[string(s.SpanId)] = s
	}
	for _, s := range of {
		p := of[string(s.ParentSpanId)]
		if s.EndTimeUnixNano < s.StartTimeUnixNano || p != nil && (s.StartTimeUnixNano < p.StartTimeUnixNano || s.EndTimeUnixNano > p.EndTimeUnixNano) {
			names = append(names, s.Name)
		}
	}
	return names
}
