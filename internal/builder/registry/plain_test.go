package registry

import (
	"net/url"
	"testing"
)

// TestPlainRegistry: an http:// registry was accepted without a word.
func TestPlainRegistry(t *testing.T) {
	for text, want := range map[string]bool{
		"https://registry.npmjs.org/": false, "http://npm.example.org/": true, "http://192.0.2.1:4873/": true,
		"http://127.0.0.1:4873/": false, "http://localhost/": false, "http://[::1]/": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if Plain(u) != want {
			t.Errorf("%s: %t", text, !want)
		}
	}
}
