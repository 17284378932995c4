package proxy

import (
	"net"
	"net/http"
	"time"
)

const (
	dialLimit = 5 * time.Second
	// idleConn is shorter than what the app allows: Node closes an idle
	// connection after 5 s.
	idleConn          = 3 * time.Second
	maxIdle           = 64        // connections kept for the next requests
	maxResponseHeader = 256 << 10 // bytes; a machine is hostile
)

// carrier sends requests to one backend. A kept connection may end just when
// a request is written to it, and nobody knows then whether the app has seen
// it. What may be sent twice is, by http.Transport; all else goes on a
// connection of its own, because no idle time is short enough on a host so
// busy that a machine's clock and network are seconds behind.
type carrier struct {
	kept  *http.Transport
	fresh *http.Transport
}

func newCarrier(responseTimeout time.Duration) carrier {
	kept := newTransport(responseTimeout)
	fresh := kept.Clone()
	// None is kept. DisableKeepAlives would tell the app to close, and one that
	// refuses an upload early would do so before its answer is read.
	fresh.MaxIdleConnsPerHost = -1
	return carrier{kept: kept, fresh: fresh}
}

// newTransport is for one backend on this host or a network of its own: no
// proxy from the environment, no HTTP/2, no touching of bodies.
func newTransport(responseTimeout time.Duration) *http.Transport {
	only1 := new(http.Protocols)
	only1.SetHTTP1(true)
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: dialLimit}).DialContext,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleConn,
		ResponseHeaderTimeout:  responseTimeout,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxResponseHeader,
		Protocols:              only1,
	}
}

// RoundTrip implements http.RoundTripper.
func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) {
	if repeatable(r) {
		return c.kept.RoundTrip(r)
	}
	return c.fresh.RoundTrip(r)
}

// repeatable is what http.Transport sends again by itself, but for its
// Idempotency-Key header: a body is read from the client once.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return r.Body == nil || r.Body == http.NoBody
	}
	return false
}

// closeIdle gives back what is kept.
func (c carrier) closeIdle() { c.kept.CloseIdleConnections() }
