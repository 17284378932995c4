package origin

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestOrigin(t *testing.T) {
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for name, tt := range map[string]struct {
		peer    string
		headers string // "Name: value|Name: value"
		want    Origin
	}{
		"direct": {"192.0.2.1:5", "", Origin{Client: netip.MustParseAddr("192.0.2.1"), Scheme: "http", Host: "shop"}},
		"a stranger claims": {"192.0.2.1:5", "X-Forwarded-For: 10.0.0.1|X-Forwarded-Proto: https|X-Forwarded-Host: bank|Forwarded: for=10.0.0.1",
			Origin{Client: netip.MustParseAddr("192.0.2.1"), Scheme: "http", Host: "shop"}},
		"one proxy": {"10.0.0.1:5", "X-Forwarded-For: 192.0.2.7|X-Forwarded-Proto: https|X-Forwarded-Host: shop.example",
			Origin{Client: netip.MustParseAddr("192.0.2.7"), Scheme: "https", Host: "shop.example", Proxy: true}},
		"the client claims to be local": {"10.0.0.1:5", "X-Forwarded-For: 127.0.0.1, 192.0.2.7",
			Origin{Client: netip.MustParseAddr("192.0.2.7"), Scheme: "http", Host: "shop", Proxy: true}},
		"two lines": {"10.0.0.1:5", "X-Forwarded-For: 127.0.0.1|X-Forwarded-For: 192.0.2.7",
			Origin{Client: netip.MustParseAddr("192.0.2.7"), Scheme: "http", Host: "shop", Proxy: true}},
		"two proxies": {"10.0.0.1:5", "X-Forwarded-For: 127.0.0.1, 192.0.2.7, 10.0.0.2",
			Origin{Client: netip.MustParseAddr("192.0.2.7"), Scheme: "http", Host: "shop", Proxy: true}},
		"all trusted": {"10.0.0.1:5", "X-Forwarded-For: 10.0.0.3, 10.0.0.2",
			Origin{Client: netip.MustParseAddr("10.0.0.3"), Scheme: "http", Host: "shop", Proxy: true}},
		"no address": {"10.0.0.1:5", "X-Forwarded-For: 127.0.0.1, unknown, 10.0.0.2",
			Origin{Client: netip.MustParseAddr("10.0.0.2"), Scheme: "http", Host: "shop", Proxy: true}},
		"empty": {"10.0.0.1:5", "X-Forwarded-For: ", Origin{Client: netip.MustParseAddr("10.0.0.1"), Scheme: "http", Host: "shop", Proxy: true}},
		"ports and IPv6": {"[fd00::1]:5", "X-Forwarded-For: [2001:db8::1]:443",
			Origin{Client: netip.MustParseAddr("2001:db8::1"), Scheme: "http", Host: "shop", Proxy: true}},
		"IPv4 in IPv6": {"[::ffff:10.0.0.1]:5", "X-Forwarded-For: ::ffff:192.0.2.7",
			Origin{Client: netip.MustParseAddr("192.0.2.7"), Scheme: "http", Host: "shop", Proxy: true}},
		"a bad scheme and host": {"10.0.0.1:5", "X-Forwarded-For: 192.0.2.7|X-Forwarded-Proto: javascript|X-Forwarded-Host: a b",
			Origin{Client: netip.MustParseAddr("192.0.2.7"), Scheme: "http", Host: "shop", Proxy: true}},
		"Forwarded": {"10.0.0.1:5", `Forwarded: for=127.0.0.1, for="[2001:db8::1]:80";proto=https;host=shop.example`,
			Origin{Client: netip.MustParseAddr("2001:db8::1"), Scheme: "https", Host: "shop.example", Proxy: true}},
		"Forwarded of the client": {"10.0.0.1:5", "X-Forwarded-For: 192.0.2.7|Forwarded: for=127.0.0.1;proto=https",
			Origin{Client: netip.MustParseAddr("192.0.2.7"), Scheme: "http", Host: "shop", Proxy: true}},
		"Forwarded with a hidden client": {"10.0.0.1:5", "Forwarded: for=127.0.0.1, for=_hidden",
			Origin{Client: netip.MustParseAddr("10.0.0.1"), Scheme: "http", Host: "shop", Proxy: true}},
	} {
		r := &http.Request{RemoteAddr: tt.peer, Host: "shop", Header: http.Header{}}
		for h := range strings.SplitSeq(tt.headers, "|") {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Add(name, value)
		}
		if got := trusted.Of(r); got != tt.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, tt.want)
		}
	}
	if got := trusted.Of(&http.Request{RemoteAddr: "192.0.2.1:5", TLS: &tls.ConnectionState{}}); got.Scheme != "https" {
		t.Errorf("over TLS: %+v", got)
	}
}

// TestIDIsNotTaken: a client that chose the id of its request could make it look like another's in the logs.
func TestIDIsNotTaken(t *testing.T) {
	proxy := Origin{Proxy: true}
	for _, tt := range []struct {
		o     Origin
		sent  []string
		taken bool
	}{
		{proxy, []string{"abc-123"}, true},
		{proxy, []string{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, true},
		{Origin{}, []string{"abc-123"}, false},
		{proxy, nil, false},
		{proxy, []string{""}, false},
		{proxy, []string{"a", "b"}, false},
		{proxy, []string{`a"} {"id":"b`}, false},
		{proxy, []string{"a\x1b[2J"}, false},
		{proxy, []string{strings.Repeat("a", maxID+1)}, false},
	} {
		if id := ID(tt.o, tt.sent); (len(tt.sent) > 0 && id == tt.sent[0]) != tt.taken || !isID(id) {
			t.Errorf("%+v, %q: %q", tt.o, tt.sent, id)
		}
	}
	if one, two := ID(proxy, nil), ID(proxy, nil); one == two {
		t.Error("two requests have the same id")
	}
}

// FuzzOrigin: whatever a proxy or a client writes, the answer is an address, and never one of which only a client has
// spoken.
func FuzzOrigin(f *testing.F) {
	f.Add("127.0.0.1, 192.0.2.7", "for=192.0.2.7;proto=https", "https")
	f.Add("[::1", `for="[::1]`, "\x00")
	trusted := Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, xff, forwarded, rest string) {
		h := http.Header{"X-Forwarded-For": {xff}, "Forwarded": {forwarded}, "X-Forwarded-Proto": {rest}, "X-Forwarded-Host": {rest}}
		if o := trusted.Of(&http.Request{RemoteAddr: "192.0.2.1:5", Header: h}); o.Client != netip.MustParseAddr("192.0.2.1") || o.Proxy {
			t.Errorf("a stranger is %+v", o)
		}
		h.Add("X-Forwarded-For", "192.0.2.9")
		if o := trusted.Of(&http.Request{RemoteAddr: "10.0.0.1:5", Header: h}); o.Client != netip.MustParseAddr("192.0.2.9") {
			t.Errorf("the client of a trusted proxy is %+v", o)
		}
		delete(h, "X-Forwarded-For")
		if o := trusted.Of(&http.Request{RemoteAddr: "10.0.0.1:5", Header: h}); !o.Client.IsValid() || o.Scheme != "http" && o.Scheme != "https" {
			t.Errorf("%q: %+v", forwarded, o)
		}
	})
}
