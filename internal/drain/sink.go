package drain

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

// record is a line on its way, with the app that said it.
type record struct {
	core.Line
	app string
}

// who is the process that said a line: "web.1", "build" for a deployment, or "gitd" for what gitd itself adds.
func (r record) who() string {
	switch {
	case r.Process != "":
		return r.Process
	case r.Stream == "build":
		return "build"
	case r.Stream == "nodeos":
		return "gitd"
	}
	return core.FirstWeb.String()
}

func (r record) release() string {
	if r.Release == 0 {
		return ""
	}
	return fmt.Sprintf("v%d", r.Release)
}

// sink is a receiver. It is used by one goroutine.
type sink interface {
	// send returns nil when the receiver has all of the records. A *refusal says more about an error.
	send(ctx context.Context, batch []record) error
	close()
}

// refusal is the answer of a receiver that did not take what it was sent.
type refusal struct {
	why   string
	after time.Duration // in which it wants to be asked again; 0: it does not say
	big   bool          // it takes fewer lines
	never bool          // it will not take these lines
	some  int           // of the lines were refused, and the others taken; 0: all were refused
}

func (r *refusal) Error() string { return r.why }

// open makes the sink of an address. host is this server's name.
func (a address) open(reach outbound.Reach, host, agent string) sink {
	switch {
	case a.kind == syslogTCP || a.kind == syslogTLS:
		return &syslogSink{to: a, reach: reach, host: host}
	case a.otlp():
		return newHTTPSink(a, reach, agent, otlpForm{host})
	}
	return newHTTPSink(a, reach, agent, jsonForm{host})
}

// judge says what an answer of HTTP means.
func judge(status int, after string, said string) error {
	r := &refusal{why: fmt.Sprintf("the receiver answers %d %s", status, http.StatusText(status))}
	if said != "" {
		r.why += ": " + said
	}
	switch {
	case status/100 == 2:
		return nil
	case status/100 == 3:
		r.why += "; redirects are not followed"
	case status == http.StatusRequestEntityTooLarge:
		r.big = true
	case status == http.StatusBadRequest || status == http.StatusUnsupportedMediaType || status == http.StatusUnprocessableEntity:
		r.never = true
	}
	if d, err := time.ParseDuration(after + "s"); err == nil && d > 0 {
		r.after = d
	}
	return r
}
