// Package porttest has ports for tests.
package porttest

import (
	"net"
	"testing"
)

// Both listens at one port of the loopback by TCP and by UDP, as a name server does, until the test ends.
func Both(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for { // a port that is free for the one may be taken for the other
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if udp, err := net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			t.Cleanup(func() { tcp.Close(); udp.Close() })
			return tcp, udp
		}
		tcp.Close()
	}
}
