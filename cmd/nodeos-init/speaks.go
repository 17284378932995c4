package main

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"time"
)

const askLimit = 2 * time.Second

// question is the smallest request that every HTTP server answers. HEAD changes nothing.
const question = "HEAD / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: nodeos-init\r\nConnection: close\r\n\r\n"

// debugger is what Node's inspector answers to it: --inspect can have any port.
var debugger = []byte("WebSockets request was expected")

// speaksHTTP reports whether the server that listens at an address of this machine answers HTTP.
func speaksHTTP(at netip.AddrPort) bool {
	c, err := net.DialTimeout("tcp", localAddress(at).String(), askLimit)
	if err != nil {
		return false
	}
	defer c.Close()
	if c.SetDeadline(time.Now().Add(askLimit)) != nil {
		return false
	}
	if _, err := io.WriteString(c, question); err != nil {
		return false
	}
	b, err := io.ReadAll(io.LimitReader(c, 1<<10)) // a server that keeps the connection has answered nevertheless
	if err != nil && len(b) == 0 {
		return false
	}
	return bytes.HasPrefix(b, []byte("HTTP/")) && !bytes.Contains(b, debugger)
}

// localAddress is where this machine itself reaches a socket that listens at an address.
func localAddress(at netip.AddrPort) netip.AddrPort {
	switch ip := at.Addr(); {
	case ip == netip.IPv4Unspecified():
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	case ip == netip.IPv6Unspecified():
		return netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
	default:
		return at
	}
}
