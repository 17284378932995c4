package proxy

import (
	"io"
	"net/http"
	"testing"
)

// BenchmarkForward measures one request on a kept connection, straight to the backend and through the front door. The
// difference is what the front door costs.
func BenchmarkForward(b *testing.B) {
	f := newFront(b, Config{})
	s, _ := f.app(b, "shop", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") })
	for name, addr := range map[string]string{"direct": s.Listener.Addr().String(), "front door": f.addr} {
		b.Run(name, func(b *testing.B) {
			c := client(b)
			for b.Loop() {
				r := f.request(b, "GET", "shop.localhost", "/", nil)
				r.URL.Host = addr
				if res, _ := do(b, c, r); res.StatusCode != http.StatusOK {
					b.Fatal(res.Status)
				}
			}
		})
	}
}
