package libvirt

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// userNetwork is QEMU's user-mode network. It needs no privileges on the host, where the machine is a port on the
// loopback. Another kind of network would be another type with the methods netdev, guest and addr.
type userNetwork struct {
	hostPort  int // on 127.0.0.1
	guestPort int
}

// newUserNetwork finds a free port on the host. Another process may take it
// before QEMU does: see isPortClash.
func newUserNetwork(guestPort int) (userNetwork, error) {
	if guestPort == 0 {
		return userNetwork{}, nil // nobody connects to the machine
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return userNetwork{}, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return userNetwork{hostPort: l.Addr().(*net.TCPAddr).Port, guestPort: guestPort}, nil
}

// netdev returns the value of QEMU's -netdev. IPv6 is off: it would be a second way to the host's loopback, and on most
// hosts it leads nowhere else.
func (n userNetwork) netdev() string {
	if n.guestPort == 0 {
		return "user,id=n0,ipv6=off"
	}
	return fmt.Sprintf("user,id=n0,ipv6=off,hostfwd=tcp:127.0.0.1:%d-:%d", n.hostPort, n.guestPort)
}

// guest returns QEMU's network as the guest sees it. The address of the gateway is the host's loopback. On ports other
// than that of DNS, the address of the DNS server leads to the host's own DNS server. QEMU can close both only together
// with the way to everywhere else (restrict=on), so the guest's init closes them.
func (n userNetwork) guest() guest.Network {
	return guest.Network{
		Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3"},
		Closed: []string{"10.0.2.0/24", "255.255.255.255/32"},
	}
}

func (n userNetwork) addr() string {
	if n.hostPort == 0 {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.hostPort))
}

// isPortClash reports whether QEMU did not start because the port was taken.
func isPortClash(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Could not set up host forwarding rule")
}
