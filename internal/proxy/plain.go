package proxy

import (
	"net/http"
	"strings"

	"github.com/nodeos-dev/gitd/internal/proxy/origin"
	"github.com/nodeos-dev/gitd/internal/proxy/wire"
)

// isPlain reports whether all of r is in its headers, and may be sent twice, so that package wire can send it.
func isPlain(r *http.Request, target string) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength == 0 &&
		len(r.TransferEncoding) == 0 && wire.Fits(target, r.Header)
}

// plain sends a request without a body, as ReverseProxy sends the others.
func (b *backend) plain(back *reply, r *http.Request, target string) {
	v := visitOf(r)
	a, err := b.pool.direct.Send(r.Context(), wire.Request{
		Method: r.Method, Target: target, Host: r.Host, Header: r.Header, Told: back.told,
		Drop: func(name string) bool { return isOurs(name) || name == "Authorization" && v.user != "" },
		Own:  ours(v),
	})
	if err != nil {
		b.proxy.ErrorHandler(back, r, err)
		return
	}
	defer a.Close()
	b.pool.heard(a.Header)
	wire.Strip(a.Header)
	if err := b.proxy.ModifyResponse(a.Response); err != nil {
		b.proxy.ErrorHandler(back, r, err)
		return
	}
	trailers := begin(back, a)
	buf := b.proxy.BufferPool.Get()
	err = a.Copy(wire.Client{Writer: back, Flush: back.FlushError, Direct: back.direct(v)}, buf)
	b.proxy.BufferPool.Put(buf)
	if err != nil {
		panic(http.ErrAbortHandler) // the client sees that something is missing
	}
	finish(back, a, trailers)
}

// begin writes the headers, and returns how many trailers they announce.
func begin(w http.ResponseWriter, a *wire.Answer) (trailers int) {
	addAll(w.Header(), a.Header)
	if trailers = len(a.Trailer); trailers > 0 {
		names := make([]string, 0, trailers)
		for name := range a.Trailer {
			names = append(names, name)
		}
		w.Header().Add("Trailer", strings.Join(names, ", "))
	}
	w.WriteHeader(a.StatusCode)
	return trailers
}

// finish adds the trailers, those that were not announced too.
func finish(back *reply, a *wire.Answer, announced int) {
	if len(a.Trailer) == 0 {
		return
	}
	back.FlushError() //nolint:errcheck // net/http must send chunks; the next write fails if this did
	h := back.Header()
	if len(a.Trailer) == announced {
		addAll(h, a.Trailer)
		return
	}
	for name, values := range a.Trailer {
		h[http.TrailerPrefix+name] = values
	}
}

func addAll(to, from http.Header) {
	for name, values := range from {
		to[name] = append(to[name], values...)
	}
}

// told passes on an answer that says only how far a request is.
func (p *reply) told(status int, said http.Header) {
	h := p.Header()
	before := h.Clone()
	addAll(h, said)
	p.WriteHeader(status)
	clear(h)
	addAll(h, before)
}

// isOurs reports whether a header says what only a proxy can know.
func isOurs(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" || name == "Forwarded" || name == origin.IDHeader
}

// ours is what the front door tells the app of a request.
func ours(v *visit) [][2]string {
	all := make([][2]string, 0, 5)
	if v.origin.Client.IsValid() {
		all = append(all, [2]string{"X-Forwarded-For", v.origin.Client.String()})
	}
	all = append(all, [2]string{"X-Forwarded-Host", v.origin.Host}, [2]string{"X-Forwarded-Proto", v.origin.Scheme}, [2]string{origin.IDHeader, v.id})
	if v.user != "" { // the password is the front door's: the app sees whose it was
		all = append(all, [2]string{"X-Forwarded-User", v.user})
	}
	return all
}
