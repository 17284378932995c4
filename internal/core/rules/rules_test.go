package rules

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestRates(t *testing.T) {
	for _, text := range []string{"100/s", "600/m", "1/h", "1000000/s", "none"} {
		r, err := ParseRate(text)
		if err != nil || r.String() != text {
			t.Errorf("%s: %s, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "100", "100/", "/s", "0/s", "-1/s", "1.5/s", "100/d", "100/S", "1e3/s", "1000001/s", "100 / s", "all"} {
		if r, err := ParseRate(text); err == nil {
			t.Errorf("%q is %s", text, r)
		}
	}
}

func TestLimits(t *testing.T) {
	var l Limits
	for name, text := range map[string]string{LimitRequests: "100/s", LimitRequestsFrom: "20/m", LimitBody: "10M", LimitConnections: "200"} {
		if err := l.Change(name, text); err != nil {
			t.Error(err)
		}
	}
	if got := fmt.Sprint(Set{Limits: l}.Words()); got != "[requests 100/s requests-from 20/m body 10 MiB connections 200]" {
		t.Errorf("%s", got)
	}
	for name, text := range map[string]string{LimitBody: "10", LimitConnections: "0", LimitRequests: "10M", LimitRequestsFrom: "0/s"} {
		was := l.Text(name)
		if err := l.Change(name, text); err == nil {
			t.Errorf("%s %s is a limit: before %s", name, text, was)
		}
	}
	for _, name := range LimitNames {
		if err := l.Change(name, "none"); err != nil || l.Text(name) != "none" {
			t.Errorf("%s: %s, %v", name, l.Text(name), err)
		}
	}
	if (Set{Limits: l}).Empty() == (l != Limits{}) {
		t.Errorf("what is left: %+v", l)
	}
}

func TestBounds(t *testing.T) {
	var s Set
	for i := range MaxUsers {
		if isNew, err := s.SetUser(User{Name: fmt.Sprintf("user%d", i)}); err != nil || !isNew {
			t.Fatal(i, err)
		}
	}
	if _, err := s.SetUser(User{Name: "one-more"}); err == nil {
		t.Error("there is no end of users")
	}
	if isNew, err := s.SetUser(User{Name: "user7", Hash: "other"}); isNew || err != nil {
		t.Errorf("another password of one who is there: %v, %v", isNew, err)
	}
	addr := netip.MustParseAddr("10.0.0.0")
	var list []netip.Prefix
	for range MaxSources + 1 {
		addr = addr.Next()
		list = append(list, netip.PrefixFrom(addr, 32))
	}
	if err := s.AddSources(list); err == nil || len(s.Allow) > 0 {
		t.Errorf("%d addresses, %v", len(s.Allow), err)
	}
	for _, name := range []string{"", "a:b", "a b", "a\r\nX-Admin: 1", "ü", strings.Repeat("x", 65)} {
		if CheckUserName(name) == nil {
			t.Errorf("%q is a name", name)
		}
	}
	for page, ok := range map[string]bool{"<p>": true, "": false, " \n": false, "\xff": false, "a\x00": false, strings.Repeat("x", MaxPage): true, strings.Repeat("x", MaxPage+1): false} {
		if err := s.SetPage(503, page); (err == nil) != ok {
			t.Errorf("a page of %d bytes: %v", len(page), err)
		}
	}
}
