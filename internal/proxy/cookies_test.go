package proxy

import (
	"net/http"
	"reflect"
	"testing"
)

// TestCookiesForSiblings: `Set-Cookie: …; Domain=apps.example.org` of one app was sent to all others.
func TestCookiesForSiblings(t *testing.T) {
	for cookie, want := range map[string]string{
		"a=1":                                  "a=1",
		"a=1; Path=/; HttpOnly":                "a=1; Path=/; HttpOnly",
		"a=1; Domain=apps.example.org; Path=/": "a=1; Path=/",
		"a=1; path=/; DOMAIN = .Apps.Example.ORG": "a=1; path=/",
		"a=1; Domain=example.org":                 "a=1",
		"a=1; Domain=shop.apps.example.org":       "a=1; Domain=shop.apps.example.org",
		"a=1; Domain=x; Domain=example.org":       "a=1; Domain=x",
		"a=1; Domain=":                            "a=1; Domain=",
		"a=Domain=example.org; Secure":            "a=Domain=example.org; Secure",
		"a=1; Domain=notexample.org":              "a=1; Domain=notexample.org",
		"":                                        "",
	} {
		if got := forOne(cookie, "apps.example.org"); got != want {
			t.Errorf("%q becomes %q, want %q", cookie, got, want)
		}
	}
	f := newFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a=1; Domain=localhost", "b=2; Path=/"}
	})
	res, _ := do(t, client(t), f.request(t, http.MethodGet, "shop.localhost", "/", nil))
	if got := res.Header["Set-Cookie"]; !reflect.DeepEqual(got, []string{"a=1", "b=2; Path=/"}) {
		t.Errorf("cookies %q", got)
	}
}
