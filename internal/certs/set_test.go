package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
)

// shelf is a Store in memory.
type shelf map[string]core.OwnCertificate

func (s shelf) OwnCertificates(context.Context) (list []core.OwnCertificate, err error) {
	for _, c := range s {
		list = append(list, c)
	}
	return list, nil
}

func (s shelf) SetOwnCertificate(_ context.Context, c core.OwnCertificate) error {
	s[c.Host] = c
	return nil
}

func (s shelf) RemoveOwnCertificate(_ context.Context, app, host string) error {
	if s[host].App != app {
		return core.ErrNotFound
	}
	delete(s, host)
	return nil
}

// TestSet: who may change an app brings a certificate for a host of this app. It serves no other host that is named in
// it, and not the same host when that is another app's.
func TestSet(t *testing.T) {
	names := []Name{{"www.shop.example", "shop", true}, {"shop.localhost", "shop", true}, {"www.blog.example", "blog", true}}
	kept := shelf{}
	k, err := New(Config{
		Domain: "localhost", Store: kept, Log: zerolog.Nop(),
		Names: func(context.Context) ([]Name, error) { return names, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, by := t.Context(), core.Actor{Name: "ada"}
	both := func(until time.Time, hosts ...string) []byte {
		chain, key := made(t, until, hosts...)
		return append(key, chain...)
	}
	for _, tt := range []struct {
		app, host string
		text      []byte
		want      string
	}{
		{"shop", "www.blog.example", both(tomorrow, "www.blog.example"), "not served at"},
		{"blog", "www.shop.example", both(tomorrow, "www.shop.example"), "not served at"},
		{"shop", "invented.example", both(tomorrow, "invented.example"), "not served at"},
		{"shop", "www.shop.example", both(tomorrow, "www.blog.example"), "is not for www.shop.example"},
		{"shop", "www.shop.example", both(time.Now().Add(-time.Hour), "www.shop.example"), "has expired"},
		{"shop", "www.shop.example", []byte("hello"), "no certificate"},
	} {
		_, err := k.Set(ctx, by, tt.app, tt.host, tt.text)
		var refused *core.Rejection
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want %q", tt.app, tt.host, err, tt.want)
		}
	}
	if len(kept) > 0 {
		t.Fatal("what was refused is kept")
	}
	s, err := k.Set(ctx, by, "shop", "WWW.shop.example", both(tomorrow, "www.shop.example", "www.blog.example", "*.localhost"))
	if err != nil || s.From != core.CertificateSet || s.Until.IsZero() {
		t.Fatalf("%+v, %v", s, err)
	}
	if !k.Has("www.shop.example") || k.Has("www.blog.example") || k.Has("shop.localhost") {
		t.Error("it serves other hosts, or not its own")
	}
	if c, err := k.certificate(&tls.ClientHelloInfo{ServerName: "www.blog.example"}); c != nil || err != nil {
		t.Errorf("a handshake for another app gets %v, %v", c, err)
	}
	names[0].App = "blog" // removed there, and added here
	if err := k.read(ctx); err != nil || k.Has("www.shop.example") {
		t.Errorf("another app's host is served with it: %v", err)
	}
	names[0].App = "shop"
	if err := k.Remove(ctx, by, "blog", "www.shop.example"); err == nil {
		t.Error("another app may remove it")
	}
	if err := k.Remove(ctx, by, "shop", "www.shop.example"); err != nil || k.Has("www.shop.example") {
		t.Errorf("it was not removed: %v", err)
	}
}

// TestAllowance: names that nobody has come for take half of an hour's certificates, and one app a quarter.
func TestAllowance(t *testing.T) {
	a, now := newAllowance(8), time.Now()
	want := func(app string, demanded, ok bool) {
		t.Helper()
		if wait := a.take(app, demanded, now); (wait == 0) != ok || wait > time.Hour {
			t.Errorf("%s has to wait for %s", app, wait)
		}
	}
	for _, app := range []string{"a", "a"} {
		want(app, false, true)
	}
	want("a", false, false)
	want("a", true, false)
	want("b", false, true)
	want("c", false, true)
	want("d", false, false)
	for _, app := range []string{"d", "d", "e", "e"} {
		want(app, true, true)
	}
	want("f", true, false)
	now = now.Add(time.Hour)
	want("a", false, true)
}
