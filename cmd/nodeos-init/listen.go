package main

import (
	"bufio"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
)

// listener is a listening TCP socket.
type listener struct {
	netip.AddrPort

	inode string // names the socket, also among several that share a port
}

// reachable reports whether the host can connect to port.
func reachable(sockets []listener, port int) bool {
	return slices.ContainsFunc(sockets, func(s listener) bool {
		return int(s.Port()) == port && !s.Addr().IsLoopback()
	})
}

func listeningSockets() []listener {
	var all []listener
	for _, name := range []string{"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"} {
		// Without IPv6 in the kernel there is no tcp6.
		if f, err := os.Open(name); err == nil {
			all = append(all, parseSockets(f)...)
			f.Close()
		}
	}
	return all
}

// parseSockets returns the listening sockets of a /proc/net/tcp or tcp6. They come first, so that a server with many
// connections costs no more than one with few.
func parseSockets(r io.Reader) []listener {
	const local, state, inode, listen = 1, 3, 9, "0A"
	var sockets []listener
	lines := bufio.NewScanner(r)
	lines.Scan() // the header
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= inode || fields[state] != listen {
			break
		}
		if s, ok := parseSocket(fields[local]); ok {
			sockets = append(sockets, listener{s, fields[inode]})
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
