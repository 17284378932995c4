package main

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// socketsOf lists the sockets of a text, whose inodes are their places in it.
func socketsOf(text string) []listener {
	var list []listener
	for i, s := range strings.Fields(text) {
		list = append(list, listener{netip.MustParseAddrPort(s), strconv.Itoa(i + 1)})
	}
	return list
}

// TestSettling: connections are led to where an app serves when it is clear that it has started.
func TestSettling(t *testing.T) {
	const soon, late = "soon", "late"
	for _, tt := range []struct {
		name    string
		sockets string
		http    string        // ports that answer HTTP
		use     time.Duration // of processor time, each second
		served  uint16        // before
		where   string        // where it has settled; empty: it is waited for
		when    string        // empty: at once
	}{
		{name: "the right port, for itself only", sockets: "127.0.0.1:8080", where: "127.0.0.1:8080"},
		{name: "likewise, IPv6", sockets: "[::1]:8080", where: "[::1]:8080"},
		{name: "both, IPv4 is better", sockets: "[::1]:8080 127.0.0.1:8080", where: "127.0.0.1:8080"},
		{name: "where it was before", sockets: "0.0.0.0:7000", served: 7000, where: "0.0.0.0:7000"},
		{name: "a framework's port", sockets: "0.0.0.0:3000", http: "3000", where: "0.0.0.0:3000", when: soon},
		{name: "a framework's port, for itself only", sockets: "127.0.0.1:3000", http: "3000", where: "127.0.0.1:3000", when: soon},
		{name: "a framework's port without HTTP", sockets: "127.0.0.1:3000", where: "127.0.0.1:3000", when: late},
		{name: "beside a debugger", sockets: "127.0.0.1:9229 [::]:5000", http: "9229 5000", where: "[::]:5000", when: soon},
		{name: "two, of which one answers", sockets: "0.0.0.0:3000 0.0.0.0:3001", http: "3001", where: "0.0.0.0:3001", when: soon},
		{name: "two that answer", sockets: "0.0.0.0:7001 0.0.0.0:7000", http: "7001 7000", where: "0.0.0.0:7000", when: late},
		{name: "two that do not answer", sockets: "0.0.0.0:7001 0.0.0.0:7000", where: "0.0.0.0:7000", when: late},
		{name: "a framework's port above another", sockets: "0.0.0.0:2222 0.0.0.0:3000", http: "2222 3000", where: "0.0.0.0:3000", when: soon},
		{name: "any port", sockets: "0.0.0.0:7777", http: "7777", where: "0.0.0.0:7777", when: late},
		{name: "a debugger", sockets: "127.0.0.1:9229", http: "9229"},
		{name: "metrics", sockets: "0.0.0.0:9090", http: "9090"},
		{name: "nothing"},
		{name: "it still starts", sockets: "0.0.0.0:3000", http: "3000", use: 900 * time.Millisecond},
		{name: "it idles as Node does", sockets: "0.0.0.0:3000", http: "3000", use: 20 * time.Millisecond, where: "0.0.0.0:3000", when: soon},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now, used := time.Now(), time.Duration(0)
			began, asked := now, 0
			s := newSettling(8080)
			s.use = func() time.Duration { return used }
			s.answers = func(at netip.AddrPort) bool {
				asked++
				return slices.Contains(strings.Fields(tt.http), strconv.Itoa(int(at.Port())))
			}
			for range 15 * 50 {
				if where, sure := s.look(now, socketsOf(tt.sockets), tt.served); sure {
					took := now.Sub(began)
					want := map[string]time.Duration{"": 0, soon: settledSoon, late: settledLate}[tt.when]
					if where.String() != tt.where || took < want || took > want+time.Second || asked > 4 {
						t.Errorf("settled at %q after %s, asked %d times; want %q after %s", where, took, asked, tt.where, want)
					}
					return
				}
				now, used = now.Add(listenPoll), used+tt.use/50
			}
			if tt.where != "" {
				t.Errorf("not settled, want %q", tt.where)
			}
		})
	}
}

// TestSettlingBeginsAgain: a socket that comes or goes says that the app is not done.
func TestSettlingBeginsAgain(t *testing.T) {
	now := time.Now()
	s := newSettling(8080)
	s.use = func() time.Duration { return 0 }
	s.answers = func(netip.AddrPort) bool { return true }
	for _, sockets := range []string{"0.0.0.0:3000", "0.0.0.0:3000 0.0.0.0:7777", "0.0.0.0:7777", "0.0.0.0:3000 0.0.0.0:7777"} {
		for range 4 {
			if where, sure := s.look(now, socketsOf(sockets), 0); sure {
				t.Errorf("%q has just come, and is taken for settled at %s", sockets, where)
			}
			now = now.Add(settledSoon / 4)
		}
	}
	now = now.Add(settledSoon)
	if _, sure := s.look(now, socketsOf("0.0.0.0:3000 0.0.0.0:7777"), 0); !sure {
		t.Error("not settled, though nothing changes")
	}
}

func TestAppUse(t *testing.T) {
	if appUse() <= 0 {
		t.Error("no process has used any time")
	}
}
