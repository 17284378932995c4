package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func socketsOf(text string) []netip.AddrPort {
	var list []netip.AddrPort
	for s := range strings.FieldsSeq(text) {
		list = append(list, netip.MustParseAddrPort(s))
	}
	return list
}

// TestSettling: an app is given up only when it is clear that it serves in the wrong place, and nothing changes any
// more.
func TestSettling(t *testing.T) {
	const window = 6 // seconds that each of these lasts
	for _, tt := range []struct {
		name    string
		sockets []string      // one after the other, each for the window
		use     time.Duration // of processor time, each second
		where   string        // where it has settled at the end; empty: it is waited for
	}{
		{name: "the right port, for itself only", sockets: []string{"127.0.0.1:8080"}, where: "127.0.0.1:8080"},
		{name: "likewise, IPv6", sockets: []string{"[::1]:8080"}, where: "[::1]:8080"},
		{name: "a framework's port", sockets: []string{"0.0.0.0:3000"}, where: "0.0.0.0:3000"},
		{name: "a framework's port, for itself only", sockets: []string{"127.0.0.1:3000"}, where: "127.0.0.1:3000"},
		{name: "beside a debugger", sockets: []string{"127.0.0.1:9229 [::]:5000"}, where: "[::]:5000"},
		{name: "a debugger", sockets: []string{"127.0.0.1:9229"}},
		{name: "metrics", sockets: []string{"0.0.0.0:9090"}},
		{name: "nothing", sockets: []string{""}},
		{name: "it still starts", sockets: []string{"0.0.0.0:3000"}, use: 900 * time.Millisecond},
		{name: "it idles as Node does", sockets: []string{"0.0.0.0:3000"}, use: 20 * time.Millisecond, where: "0.0.0.0:3000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now, used := time.Now(), time.Duration(0)
			s := settling{use: func() time.Duration { return used }}
			got := ""
			for _, sockets := range tt.sockets {
				for range window * 50 {
					if where, sure := s.look(now, socketsOf(sockets), 8080); sure {
						got = where.String()
					}
					now, used = now.Add(listenPoll), used+tt.use/50
				}
			}
			if got != tt.where {
				t.Errorf("settled at %q, want %q", got, tt.where)
			}
		})
	}
}

// TestSettlingBeginsAgain: a socket that comes or goes says that the app is not done.
func TestSettlingBeginsAgain(t *testing.T) {
	now := time.Now()
	s := settling{use: func() time.Duration { return 0 }}
	for _, sockets := range []string{"0.0.0.0:3000", "0.0.0.0:3000 0.0.0.0:9090", "0.0.0.0:9090", "0.0.0.0:3000 0.0.0.0:9090"} {
		for range 4 {
			if _, sure := s.look(now, socketsOf(sockets), 8080); sure {
				t.Errorf("given up at %q, which had just come", sockets)
			}
			now = now.Add(time.Second)
		}
	}
	now = now.Add(settledFor)
	if _, sure := s.look(now, socketsOf("0.0.0.0:3000 0.0.0.0:9090"), 8080); !sure {
		t.Error("not given up, though nothing changes")
	}
}

func TestAppUse(t *testing.T) {
	if appUse() <= 0 {
		t.Error("no process has used any time")
	}
}
