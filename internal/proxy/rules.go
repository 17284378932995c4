package proxy

import (
	"cmp"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"

	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/proxy/guard"
)

// Rules implements front.Router.
func (p *Proxy) Rules(app string, s rules.Set) { p.table.setRules(app, s, p.hashing) }

// Refused is how many requests the rules of each app have refused, by why, of the apps that have had rules.
func (p *Proxy) Refused() map[string]map[string]int64 {
	all := map[string]map[string]int64{}
	for app, g := range p.table.guards() {
		all[app] = g.Refused()
	}
	return all
}

// guarded sends r on to its app, if the rules of the app let it in.
func (p *Proxy) guarded(v *visit, r *http.Request) {
	pass, no := v.guard.Enter(v.origin.Client, r)
	if no != nil {
		refuse(v, r, no)
		return
	}
	defer pass.Leave()
	v.user = pass.User
	if pass.MaxBody > 0 && r.ContentLength != 0 {
		r.Body = &boundedBody{ReadCloser: r.Body, left: pass.MaxBody, visit: v}
	}
	p.forward(v, r, v.app)
}

// refuse tells a client why it does not get in.
func refuse(w http.ResponseWriter, r *http.Request, no *guard.Refusal) {
	v, h := visitOf(r), w.Header()
	if no.Retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(no.Retry.Seconds()))))
	}
	if no.Login {
		h.Set("WWW-Authenticate", `Basic realm="`+v.app+`", charset="UTF-8"`)
	}
	sendPage(w, r, page{no.Status, no.Title, no.Text}, cmp.Or(no.Page, v.page(no.Status)))
}

// errTooLong is why a request ended whose body is longer than its app takes.
var errTooLong = errors.New("the request is longer than its app takes")

// boundedBody ends a body of which the length was not known before.
type boundedBody struct {
	io.ReadCloser
	left  int64
	visit *visit
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.visit.tooLong.Load() {
		return 0, errTooLong
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one byte more shows that there is more
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		n, err = int(b.left), errTooLong
		b.visit.tooLong.Store(true)
	}
	b.left -= int64(n)
	return n, err
}
