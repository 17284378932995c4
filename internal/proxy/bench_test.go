package proxy

import (
	"io"
	"net/http"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// BenchmarkForward measures one request on a kept connection, straight to the backend and through the front door: for
// an app without rules, and for one with rules of every kind. The differences are what the front door and the rules
// cost.
func BenchmarkForward(b *testing.B) {
	f := newFront(b, Config{})
	hello := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") }
	s, _ := f.app(b, "shop", hello)
	f.app(b, "ruled", hello)
	f.Rules("ruled", allRules(b))
	for _, to := range []struct{ name, addr, host string }{
		{"direct", s.Listener.Addr().String(), "shop.localhost"},
		{"front door", f.addr, "shop.localhost"},
		{"with rules", f.addr, "ruled.localhost"},
	} {
		b.Run(to.name, func(b *testing.B) {
			c := client(b)
			for b.Loop() {
				r := f.request(b, "GET", to.host, "/", nil)
				r.SetBasicAuth("ada", password)
				r.URL.Host = to.addr
				if res, _ := do(b, c, r); res.StatusCode != http.StatusOK {
					b.Fatal(res.Status)
				}
			}
		})
	}
}

// BenchmarkWithoutRules measures what a request of an app pays for rules that it does not have.
func BenchmarkWithoutRules(b *testing.B) {
	p := New(Config{Domain: "localhost"})
	p.Rules("shop", rules.Set{Limits: rules.Limits{Body: 1}})
	p.Rules("shop", rules.Set{}) // it had some once
	p.Down("shop", "")
	r, err := http.NewRequestWithContext(b.Context(), "GET", "http://shop.localhost/", nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		_, g := p.table.door("shop")
		pass, no := g.Enter(here[0].Addr(), r)
		if no != nil {
			b.Fatal(no)
		}
		pass.Leave()
	}
}
