package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nodeos-dev/gitd/internal/proxy/guard"
	"github.com/nodeos-dev/gitd/internal/proxy/origin"
)

// Request is what became of one request. Method, Host, Path, Query, Agent and Referer are what the client sent: hostile
// bytes, of any length that a header may have.
type Request struct {
	ID      string // X-Request-Id
	App     string // empty: there is none at this host
	Begun   time.Time
	Took    time.Duration // to the end of the answer, or of the upgraded connection
	Client  netip.Addr
	Method  string
	Scheme  string // that the client used: "http" or "https"
	Proto   string // "HTTP/1.1"
	TLS     string // "TLS 1.3"; empty: the connection has none
	Host    string
	Path    string
	Query   string // without the question mark
	Agent   string
	Referer string
	Status  int    // 0: the client had left before
	In, Out int64  // bytes of bodies, and of upgraded connections
	Machine string // its address; empty: the front door has answered itself
	User    string // whose password it had; empty: none was asked for
}

// visit is one request while it runs. It is the ResponseWriter of its answer, and is in the context of its request.
type visit struct {
	http.ResponseWriter
	app     string
	id      string
	origin  origin.Origin
	crowd   *crowd
	begun   time.Time
	status  int
	machine string       // the last that it was sent to
	guard   *guard.Guard // of the app; nil: it has none
	user    string       // whose password it had
	tooLong atomic.Bool  // its body went on after its limit
	secure  Secure       // what the client is told; zero: nothing
	in, out atomic.Int64
}

type visitKey struct{}

// visitOf is the visit that r belongs to.
func visitOf(r *http.Request) *visit {
	v, _ := r.Context().Value(visitKey{}).(*visit)
	return v
}

// begin makes the visit of r, and the request that goes on with it.
func (p *Proxy) begin(w http.ResponseWriter, r *http.Request) (*visit, *http.Request) {
	v := &visit{ResponseWriter: w, crowd: p.crowd, begun: time.Now(), origin: p.trusted.Of(r)}
	if r.TLS != nil {
		v.secure = p.secure
	}
	v.id = origin.ID(v.origin, r.Header[origin.IDHeader])
	w.Header().Set(origin.IDHeader, v.id)
	r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &countedBody{r.Body, &v.in}
	}
	return v, r
}

// page is the app's own page for a status; empty: it has none.
func (v *visit) page(status int) string {
	if v == nil {
		return ""
	}
	return v.guard.Page(status)
}

// ended tells what became of r.
func (p *Proxy) ended(v *visit, r *http.Request) {
	if len(p.after) == 0 {
		return
	}
	path, query, _ := strings.Cut(originForm(r), "?")
	q := Request{
		ID: v.id, App: v.app, Begun: v.begun, Took: time.Since(v.begun), Client: v.origin.Client,
		Method: r.Method, Scheme: v.origin.Scheme, Proto: r.Proto, Host: r.Host, Path: path, Query: query,
		Agent: r.UserAgent(), Referer: r.Referer(), Status: v.status, In: v.in.Load(), Out: v.out.Load(), Machine: v.machine, User: v.user,
	}
	if r.TLS != nil {
		q.TLS = tls.VersionName(r.TLS.Version)
	}
	for _, after := range p.after {
		after(q)
	}
}

// WriteHeader implements http.ResponseWriter.
func (v *visit) WriteHeader(status int) {
	if status >= 200 {
		v.status = status
		v.announce()
	}
	v.crowd.lastAnswer(v.Header(), status)
	v.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (v *visit) Write(p []byte) (int, error) {
	n, err := v.ResponseWriter.Write(p)
	v.out.Add(int64(n))
	return n, err
}

// ReadFrom implements io.ReaderFrom.
func (v *visit) ReadFrom(r io.Reader) (n int64, err error) {
	if w, ok := v.ResponseWriter.(io.ReaderFrom); ok {
		n, err = w.ReadFrom(r)
		v.out.Add(n)
		return n, err
	}
	return io.Copy(struct{ io.Writer }{v}, r)
}

// Hijack implements http.Hijacker: what goes over an upgraded connection is counted too.
func (v *visit) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(v.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	v.status = http.StatusSwitchingProtocols // ReverseProxy writes it to conn
	return &countedConn{conn, v}, rw, nil
}

// Unwrap lets http.ResponseController flush and set deadlines.
func (v *visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

// countedBody counts what is read of a request's body.
type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// countedConn is an upgraded connection.
type countedConn struct {
	net.Conn
	visit *visit
}

// Read implements net.Conn.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.visit.in.Add(int64(n))
	return n, err
}

// Write implements net.Conn.
func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.visit.out.Add(int64(n))
	return n, err
}
