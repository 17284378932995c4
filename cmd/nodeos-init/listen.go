package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// The sockets are looked at this often until the app listens: often at first, because a push waits for it.
	listenPoll     = 20 * time.Millisecond
	listenPollSlow = 250 * time.Millisecond
	listenSlowFrom = 20 * time.Second

	// An app that listens somewhere else gets a hint after this long.
	listenHint = 3 * time.Second
)

// listenNews is told of where an app listens, of each thing once at most.
type listenNews struct {
	listening func()                     // something accepts connections from the host on the port
	hint      func(text string)          // something listens in vain
	misplaced func(where netip.AddrPort) // that is all there will be: see settling
}

// awaitListening looks where the app listens until that is its port, or ctx
// ends.
func awaitListening(ctx context.Context, port int, tell listenNews) {
	began, hinted, told := time.Now(), false, false
	settling := settling{use: appUse}
	for {
		sockets := listeningSockets()
		if reachable(sockets, port) {
			if ctx.Err() == nil {
				tell.listening()
			}
			return
		}
		waited := time.Since(began)
		if text := advice(sockets, port); !hinted && waited > listenHint && text != "" {
			tell.hint(text)
			hinted = true
		}
		if where, sure := settling.look(time.Now(), sockets, port); sure && !told {
			tell.misplaced(where)
			told = true
		}
		pause := listenPoll
		if waited > listenSlowFrom {
			pause = listenPollSlow
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// reachable reports whether the host can connect to port.
func reachable(sockets []netip.AddrPort, port int) bool {
	return slices.ContainsFunc(sockets, func(s netip.AddrPort) bool {
		return int(s.Port()) == port && !s.Addr().IsLoopback()
	})
}

// advice says what is wrong with the place where the app listens. It is empty if there is nothing to say.
func advice(sockets []netip.AddrPort, port int) string {
	for _, s := range sockets {
		if int(s.Port()) == port {
			return fmt.Sprintf("the app listens on %s, which cannot be reached from outside: listen on 0.0.0.0 or ::, port process.env.PORT", s)
		}
	}
	for _, s := range sockets {
		if !s.Addr().IsLoopback() {
			return fmt.Sprintf("the app listens on port %d and not on %d: listen on process.env.PORT", s.Port(), port)
		}
	}
	return ""
}

func listeningSockets() []netip.AddrPort {
	var all []netip.AddrPort
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		// Without IPv6 in the kernel there is no tcp6.
		if b, err := os.ReadFile(name); err == nil {
			all = append(all, parseSockets(string(b))...)
		}
	}
	return all
}

// parseSockets returns the listening sockets of a /proc/net/tcp or tcp6.
func parseSockets(text string) []netip.AddrPort {
	const local, state, listen = 1, 3, "0A"
	var sockets []netip.AddrPort
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) <= state || fields[state] != listen {
			continue
		}
		if s, ok := parseSocket(fields[local]); ok {
			sockets = append(sockets, s)
		}
	}
	return sockets
}

// parseSocket reads "0100007F:1F90". The kernel prints an address as 32-bit words in the byte order of the machine,
// which is little-endian on everything that gitd runs on.
func parseSocket(text string) (netip.AddrPort, bool) {
	addr, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(addr)
	if err != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(b)
	p, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(p)), true
}
