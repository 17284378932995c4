package main

import (
	"fmt"
	"net"
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
			for _, s := range parseSockets(strings.NewReader(tt.text)) {
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
	want := l.Addr().(*net.TCPAddr).AddrPort()
	if !slices.ContainsFunc(listeningSockets(), func(s listener) bool { return s.AddrPort == want && s.inode != "" }) {
		t.Errorf("%s is not among the listening sockets", want)
	}
}

func TestReachable(t *testing.T) {
	for sockets, want := range map[string]bool{
		"": false, "0.0.0.0:8080": true, "[::]:8080": true, "10.0.2.15:8080": true, "127.0.0.1:8080": false, "[::1]:8080": false,
		"127.0.0.1:8080 0.0.0.0:8080": true, "0.0.0.0:3000": false, "127.0.0.1:9229": false,
	} {
		if got := reachable(socketsOf(sockets), 8080); got != want {
			t.Errorf("%q: reachable is %v", sockets, got)
		}
	}
}

// TestSocketsBeforeConnections: the kernel lists what listens first, and nothing after it is read.
func TestSocketsBeforeConnections(t *testing.T) {
	text := header + listening("0100007F:1F90") + "   1: 00000000:1F90 0202000A:9C40 01 00000000:00000000 00:00000000 00000000  1000 0 2 1\n" +
		listening("0100007F:1F91")
	if got := parseSockets(strings.NewReader(text)); len(got) != 1 {
		t.Errorf("read %v", got)
	}
}

func listening(at string) string {
	return "   0: " + at + " 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0\n"
}

func FuzzParseSockets(f *testing.F) {
	f.Add(header + fmt.Sprintf("   0: %s:%s 00000000:0000 0A x\n", "0100007F", "1F90"))
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range parseSockets(strings.NewReader(text)) {
			if !s.Addr().IsValid() {
				t.Errorf("invalid address from %q", text)
			}
		}
	})
}
