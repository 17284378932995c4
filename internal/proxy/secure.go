package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Secure is what the front door does with TLS. The zero Secure is a front door without it.
type Secure struct {
	// Port is that of HTTPS, as clients write it. Requests that come in plain are sent there, if Has says that their
	// host can be served there: what has no certificate yet is served in plain.
	Port string
	Has  func(host string) bool
	// QUIC is the port of HTTP/3, of which clients of HTTPS are told; empty: there is none.
	QUIC string
	// HSTS is how long clients keep to HTTPS, where an app says nothing of that itself; 0: they are told nothing.
	HSTS time.Duration
	// First sees what comes in plain before the proxy does, which is next; nil: nobody does.
	First func(next http.Handler) http.Handler
}

// maxStreams is how many requests a client may have on one connection of HTTP/2 or HTTP/3.
const maxStreams = 100

// ServeTLS is Serve for clients that speak TLS, and in it HTTP/1.1 or HTTP/2.
func (p *Proxy) ServeTLS(ctx context.Context, l net.Listener, how *tls.Config) error {
	srv := p.server()
	srv.TLSConfig = how.Clone() // net/http changes it
	// Its WriteByteTimeout would set two deadlines for each write, beside that of the guest.
	srv.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxStreams}
	return p.serve(ctx, l, srv, func(srv *http.Server, l net.Listener) error {
		// What is turned away is not told why: that would take a handshake.
		return srv.ServeTLS(listener{l, p.crowd, ""}, "", "")
	})
}

// elsewhere is where a plain request should have gone: to the same host, if that is one of ours that can be served with
// TLS. The method and the body stay (308). What a trusted proxy had from its client with TLS is where it should be.
func (s Secure) elsewhere(r *http.Request, known bool, scheme string) (to string, ok bool) {
	if s.Has == nil || !known || r.TLS != nil || r.RequestURI == "*" || scheme == "https" {
		return "", false
	}
	host, _ := withoutPort(r.Host)
	if !s.Has(host) {
		return "", false
	}
	if s.Port != "443" {
		host = net.JoinHostPort(host, s.Port)
	}
	return "https://" + host + originForm(r), true
}

// redirect sends a client on.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Location", to)
	write(w, r, page{http.StatusPermanentRedirect, "This is at another address", "It is served with HTTPS only."})
}

// announce adds to an answer by HTTPS what the client should know for its next requests.
func (v *visit) announce() {
	h := v.Header()
	if v.secure.QUIC != "" {
		h.Set("Alt-Svc", fmt.Sprintf(`h3=":%s"; ma=86400`, v.secure.QUIC))
	}
	if v.secure.HSTS > 0 && h.Get("Strict-Transport-Security") == "" {
		h.Set("Strict-Transport-Security", fmt.Sprintf("max-age=%d", int(v.secure.HSTS.Seconds())))
	}
}
