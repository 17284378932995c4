// Package egress is the only way out of a build: an HTTP proxy that reaches
// public web servers and the npm registry, and nothing of the host's own
// network.
//
// It owns the decision where a build may connect. It does not own how the
// build's requests arrive: package sandbox hands them in.
package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"time"

	"golang.org/x/net/http/httpproxy"
)

const dialTime = 30 * time.Second

// Proxy is an http.Handler for proxy requests: CONNECT and plain http.
type Proxy struct {
	registry string // host:port
	upstream func(*url.URL) (*url.URL, error)
	forward  *httputil.ReverseProxy
}

// New makes a proxy. The registry's host and port may be reached wherever
// they lead, because a company's registry is often on a private address.
// Everything else must be a public address and a web server's port. Like
// gitd itself, it goes through the proxy that HTTPS_PROXY and HTTP_PROXY
// name, if there is one.
func New(registry *url.URL) *Proxy {
	p := &Proxy{
		registry: hostPort(registry),
		upstream: httpproxy.FromEnvironment().ProxyFunc(),
	}
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(*httputil.ProxyRequest) {},
		Transport: &http.Transport{
			Proxy:                 func(r *http.Request) (*url.URL, error) { return p.upstream(r.URL) },
			DialContext:           p.dial,
			DisableCompression:    true,
			ResponseHeaderTimeout: 5 * time.Minute,
			IdleConnTimeout:       30 * time.Second,
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) },
	}
	return p
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodConnect:
		p.tunnel(w, r)
	case r.URL.Scheme == "http" && r.URL.Host != "":
		if err := p.checkTarget(hostPort(r.URL)); err != nil {
			refuse(w, err)
			return
		}
		p.forward.ServeHTTP(w, r)
	default:
		http.Error(w, "gitd: this is the build's proxy, and no web server", http.StatusBadRequest)
	}
}

// checkTarget looks at the port, and at the host where it is an address already:
// the latter matters when an upstream proxy does the dialling.
func (p *Proxy) checkTarget(addr string) error {
	if addr == p.registry {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !slices.Contains([]string{"80", "443"}, port) {
		return fmt.Errorf("%w %q: only ports 80 and 443, and the npm registry", errBlocked, addr)
	}
	if net.ParseIP(host) == nil {
		return nil
	}
	return checkDialled("tcp", addr, nil)
}

// reachTime is how long a host may take to be reached.
const reachTime = 10 * time.Second

// Reach reports why builds cannot reach the web server at rawURL, or nil. What an upstream proxy can reach is not known
// here.
func (p *Proxy) Reach(ctx context.Context, rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return err
	}
	addr := hostPort(u)
	if err := p.checkTarget(addr); err != nil {
		return err
	}
	if via, err := p.upstream(u); err != nil || via != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reachTime)
	defer cancel()
	c, err := p.dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

// dial connects to addr, or to the upstream proxy, which is ours to trust.
func (p *Proxy) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTime}
	if addr != p.registry && !p.isUpstream(addr) {
		d.Control = checkDialled
	}
	return d.DialContext(ctx, network, addr)
}

func (p *Proxy) isUpstream(addr string) bool {
	for _, scheme := range []string{"http", "https"} {
		u, err := p.upstream(&url.URL{Scheme: scheme, Host: "example.com"})
		if err == nil && u != nil && hostPort(u) == addr {
			return true
		}
	}
	return false
}

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func refuse(w http.ResponseWriter, err error) {
	code := http.StatusBadGateway
	if errors.Is(err, errBlocked) {
		code = http.StatusForbidden
	}
	http.Error(w, "gitd: "+err.Error(), code)
}
