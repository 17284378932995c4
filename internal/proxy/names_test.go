package proxy

import (
	"io"
	"net/http"
	"testing"
)

func TestNames(t *testing.T) {
	f := newFront(t, Config{})
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
	}
	f.Names("shop", []string{"shop.example.org", "www.example.org"}) // before the app runs
	f.app(t, "shop", says("shop"))
	f.app(t, "blog", says("blog"))
	// Only the first of these is served: the others are no host names, are below the server's own domain, or belong to
	// shop.
	f.Names("blog", []string{"blog.example.org", "www.example.org", "shop.localhost", "localhost", "UPPER.example.org", "*.example.org", "127.0.0.1", ""})

	tests := []struct {
		host   string
		status int
		body   string
	}{
		{"shop.example.org", 200, "shop"},
		{"WWW.Example.Org.:8080", 200, "shop"},
		{"blog.example.org", 200, "blog"},
		{"shop.localhost", 200, "shop"},
		{"blog.localhost", 200, "blog"},
		{"a.shop.example.org", 404, "There is no app here"},
		{"example.org", 404, "There is no app here"},
		{"upper.example.org", 404, "There is no app here"},
		{"x.example.org", 404, "There is no app here"},
		{"127.0.0.1", 404, "There is no app here"},
	}
	for _, tt := range tests {
		checkAnswer(t, f.request(t, "GET", tt.host, "/", nil), tt.status, tt.body)
	}

	f.Names("shop", []string{"shop.example.org"})
	checkAnswer(t, f.request(t, "GET", "www.example.org", "/", nil), 404, "There is no app here")
	f.Names("blog", []string{"www.example.org"})
	checkAnswer(t, f.request(t, "GET", "www.example.org", "/", nil), 200, "blog")
	f.Remove("shop")
	checkAnswer(t, f.request(t, "GET", "shop.example.org", "/", nil), 404, "There is no app here")
	f.app(t, "shop", says("another shop"))
	checkAnswer(t, f.request(t, "GET", "shop.example.org", "/", nil), 404, "There is no app here")
}
