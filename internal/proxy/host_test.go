package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestAppOf(t *testing.T) {
	tests := []struct {
		host, domain string
		app          string
		kind         hostKind
	}{
		{"shop.localhost", "localhost", "shop", hostApp},
		{"shop.localhost:8080", "localhost", "shop", hostApp},
		{"Shop.LocalHost:1", "localhost", "shop", hostApp},
		{"shop.localhost.", "localhost", "shop", hostApp},
		{"shop.localhost.:80", "localhost", "shop", hostApp},
		{"shop.localhost:", "localhost", "shop", hostApp},
		{"a-1.apps.example.com", "apps.example.com", "a-1", hostApp},
		{"localhost", "localhost", "", hostBare},
		{"LOCALHOST:8080", "localhost", "", hostBare},
		{"localhost.", "localhost", "", hostBare},
		{"", "localhost", "", hostUnknown},
		{".", "localhost", "", hostUnknown},
		{".localhost", "localhost", "", hostUnknown},
		{"shop.localhost..", "localhost", "", hostUnknown},
		{"a.shop.localhost", "localhost", "", hostUnknown},
		{"shoplocalhost", "localhost", "", hostUnknown},
		{"shop.example.com", "localhost", "", hostUnknown},
		{"shop.localhost.evil.com", "localhost", "", hostUnknown},
		{"shop.localhost:80:80", "localhost", "", hostUnknown},
		{"shop.localhost:http", "localhost", "", hostUnknown},
		{"shop.localhost:123456", "localhost", "", hostUnknown},
		{"-shop.localhost", "localhost", "", hostUnknown},
		{"1shop.localhost", "localhost", "", hostUnknown},
		{"sh_op.localhost", "localhost", "", hostUnknown},
		{"..%2fetc.localhost", "localhost", "", hostUnknown},
		{"127.0.0.1:8080", "localhost", "", hostUnknown},
		{"[::1]:8080", "localhost", "", hostUnknown},
		{strings.Repeat("a", 40) + ".localhost", "localhost", strings.Repeat("a", 40), hostApp},
		{strings.Repeat("a", 41) + ".localhost", "localhost", "", hostUnknown},
		{"\u212aey.localhost", "localhost", "", hostUnknown}, // the Kelvin sign
	}
	for _, tt := range tests {
		p := New(Config{Domain: tt.domain, Log: zerolog.Nop()})
		if app, kind := p.appOf(tt.host); app != tt.app || kind != tt.kind {
			t.Errorf("appOf(%q, %q) = %q, %d, want %q, %d", tt.host, tt.domain, app, kind, tt.app, tt.kind)
		}
	}
}

// FuzzHost: whatever a client writes into its Host header, the table is asked only for a name that an app can have, and
// the answer does not repeat the header.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"shop.localhost", "localhost:8080", "[::1]:8080", "<script>.localhost", "a.b.localhost.", ":", "\x00.localhost"} {
		f.Add(seed)
	}
	p := New(Config{Domain: "localhost", Log: zerolog.Nop()})
	f.Fuzz(func(t *testing.T, host string) {
		app, kind := p.appOf(host)
		if (kind == hostApp) != (core.CheckName(app) == nil) {
			t.Fatalf("appOf(%q) = %q, %d", host, app, kind)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		r.Header.Set("Accept", "text/html")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		if kind != hostBare && w.Code != http.StatusNotFound {
			t.Fatalf("%q: status %d", host, w.Code)
		}
		if strings.ContainsAny(host, "<>\"\x00") && strings.Contains(w.Body.String(), host) {
			if !strings.Contains(emptyPage(p), host) {
				t.Fatalf("%q is reflected: %s", host, w.Body)
			}
		}
	})
}

// emptyPage returns the page for a host that belongs to no app.
func emptyPage(p *Proxy) string {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = "x"
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Body.String()
}

// BenchmarkRoute measures the way from a Host header to a counted backend and back, with a thousand apps.
func BenchmarkRoute(b *testing.B) {
	p := New(Config{Domain: "localhost", Log: zerolog.Nop()})
	hosts := make([]string, 1000)
	for i := range hosts {
		name := fmt.Sprintf("app-%d", i)
		p.Switch(name, []string{"127.0.0.1:1"})
		hosts[i] = name + ".localhost:8080"
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			app, _ := p.appOf(hosts[i%len(hosts)])
			_, b, _ := p.table.acquire(app, nil)
			b.release()
		}
	})
}
