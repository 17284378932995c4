package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

const header = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func TestParseSockets(t *testing.T) {
	const rest = " 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0\n"
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"any address", header + "   0: 00000000:1F90" + rest, []string{"0.0.0.0:8080"}},
		{"loopback", header + "   0: 0100007F:1F90" + rest, []string{"127.0.0.1:8080"}},
		{"one address", header + "   0: 0F02000A:0050" + rest, []string{"10.0.2.15:80"}},
		{"IPv6 any", header + "   0: 00000000000000000000000000000000:1F90" + strings.Replace(rest, "00000000:0000", "00000000000000000000000000000000:0000", 1), []string{"[::]:8080"}},
		{"IPv6 loopback", header + "   0: 00000000000000000000000001000000:1F90" + rest, []string{"[::1]:8080"}},
		{"IPv4 in IPv6", header + "   0: 0000000000000000FFFF00000100007F:1F90" + rest, []string{"127.0.0.1:8080"}},
		{"a connection, not a listener", header + "   0: 00000000:1F90 0202000A:9C40 01 rest\n", nil},
		{"header only", header, nil},
		{"empty", "", nil},
		{"torn line", header + "   0: 000000", nil},
		{"not hexadecimal", header + "   0: 0000000G:1F90" + rest, nil},
		{"odd length", header + "   0: 000000:1F90" + rest, nil},
		{"port too large", header + "   0: 00000000:1F900" + rest, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, s := range parseSockets(tt.text) {
				got = append(got, s.String())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestParseSocketsOfThisKernel: the format is what the kernel here prints.
func TestParseSocketsOfThisKernel(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Skip(err)
	}
	if want := l.Addr().(*net.TCPAddr).AddrPort(); !slices.Contains(parseSockets(string(b)), want) {
		t.Errorf("%s is not among the listening sockets", want)
	}
}

func TestReachableAndAdvice(t *testing.T) {
	for _, tt := range []struct {
		sockets   string // separated by spaces
		reachable bool
		advice    string // a part of it
	}{
		{"", false, ""},
		{"0.0.0.0:8080", true, ""},
		{"[::]:8080", true, ""},
		{"10.0.2.15:8080", true, ""},
		{"127.0.0.1:8080", false, "127.0.0.1:8080, which cannot be reached"},
		{"[::1]:8080", false, "[::1]:8080, which cannot be reached"},
		{"127.0.0.1:8080 0.0.0.0:8080", true, ""},
		{"0.0.0.0:3000", false, "port 3000 and not on 8080"},
		{"127.0.0.1:9229", false, ""}, // a debugger
	} {
		var sockets []netip.AddrPort
		for s := range strings.FieldsSeq(tt.sockets) {
			sockets = append(sockets, netip.MustParseAddrPort(s))
		}
		if got := reachable(sockets, 8080); got != tt.reachable {
			t.Errorf("%q: reachable is %v", tt.sockets, got)
		}
		if tt.reachable {
			continue
		}
		if got := advice(sockets, 8080); (got == "") != (tt.advice == "") || !strings.Contains(got, tt.advice) {
			t.Errorf("%q: advice %q, want %q", tt.sockets, got, tt.advice)
		}
	}
}

func TestAwaitListening(t *testing.T) {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	called := 0
	awaitListening(t.Context(), l.Addr().(*net.TCPAddr).Port, listenNews{
		listening: func() { called++ }, hint: func(hint string) { t.Error(hint) }, misplaced: func(w netip.AddrPort) { t.Error(w) },
	})
	if called != 1 {
		t.Errorf("listening was called %d times", called)
	}
}

func FuzzParseSockets(f *testing.F) {
	f.Add(header + fmt.Sprintf("   0: %s:%s 00000000:0000 0A x\n", "0100007F", "1F90"))
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parseSockets(text) {
			if !s.Addr().IsValid() {
				t.Errorf("invalid address from %q", text)
			}
		}
	})
}
