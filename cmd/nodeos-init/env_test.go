package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/guest"
)

func TestParseEnv(t *testing.T) {
	for _, tt := range []struct {
		words      []string
		args, vars string
		err        string
	}{
		{words: []string{"node", "x.js", "-S"}, args: "node x.js -S", vars: "A=1"},
		{words: []string{"-S node --flag", "x.js"}, args: "node --flag x.js", vars: "A=1"},
		{words: []string{"-S", "node  --flag", "x.js"}, args: "node --flag x.js", vars: "A=1"},
		{words: []string{"-Snode", "x.js"}, args: "node x.js", vars: "A=1"},
		{words: []string{"--split-string=A=2 node", "x.js"}, args: "node x.js", vars: "A=2"},
		{words: []string{"-S B=x A= node"}, args: "node", vars: "B=x A="},
		{words: []string{"-i", "B=2", "node"}, args: "node", vars: "B=2"},
		{words: []string{"--", "node"}, args: "node", vars: "A=1"},
		{words: []string{"-u", "A", "node"}, err: "-u: not known here"},
		{words: []string{"-S"}, err: "no words to split"},
		{words: []string{"A=1"}, err: "no program to start"},
		{err: "no program to start"},
	} {
		args, vars, err := parseEnv(tt.words, []string{"A=1"})
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: %v", tt.words, err)
			}
			continue
		}
		if strings.Join(args, " ") != tt.args || strings.Join(vars, " ") != tt.vars || err != nil {
			t.Errorf("%q: %q, %q, %v", tt.words, args, vars, err)
		}
	}
}

func FuzzParseEnv(f *testing.F) {
	f.Add("-S\nnode --flag\nx.js")
	f.Fuzz(func(t *testing.T, text string) {
		args, _, err := parseEnv(strings.Split(text, "\n"), nil)
		if err == nil && len(args) == 0 {
			t.Errorf("no program in %q, and no error", args)
		}
	})
}

// TestNoShell: the reason of the first failure is said, and not that of each.
func TestNoShell(t *testing.T) {
	var said []string
	var n noShell
	for _, line := range []string{"ENOENT", "Error: spawn /bin/sh ENOENT", "  spawnargs: [ '-c', 'ls' ]", "Error: spawn /bin/sh ENOENT"} {
		n.look(line, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) })
	}
	if len(said) != 1 || !strings.Contains(said[0], "no shell") {
		t.Errorf("said %q", said)
	}
}

func TestHosts(t *testing.T) {
	n := guest.Network{Address: "10.0.2.15/24", Address6: "fec0::15/64"}
	const local = "127.0.0.1 localhost\n::1 ip6-localhost ip6-loopback\n"
	for name, want := range map[string]string{"shop": "10.0.2.15 shop\nfec0::15 shop\n", "": "", "a\nb": "", "a b": ""} {
		if got := hosts(n, name); got != local+want {
			t.Errorf("%q: %q", name, got)
		}
	}
	if got := hosts(guest.Network{}, "shop"); got != local {
		t.Errorf("without an address: %q", got)
	}
}

// TestSpeaksHTTP asks servers of several kinds.
func TestSpeaksHTTP(t *testing.T) {
	for said, want := range map[string]bool{
		"HTTP/1.1 404 Not Found\r\n\r\n": true, "220 mail\r\n": false, "": false,
		"HTTP/1.0 400 Bad Request\r\n\r\nWebSockets request was expected\r\n": false,
	} {
		at := serveLine(t, said)
		if got := speaksHTTP(at); got != want {
			t.Errorf("%q speaks HTTP: %v", said, got)
		}
	}
}

// serveLine answers each connection with text, after it has read something.
func serveLine(t *testing.T, text string) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, len(question))) //nolint:errcheck // the answer is the same
			io.WriteString(c, text)             //nolint:errcheck // likewise
			c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}
