package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/doors"
)

// door is an address at which gitd listens.
type door struct{ flag, address, is string }

func (o *options) tcp() []door {
	all := []door{{"ssh", o.ssh, "ssh door"}, {"http", o.http, "front door"}}
	if o.https.address != "" {
		all = append(all, door{"https", o.https.address, "front door of HTTPS"})
	}
	return all
}

// forRoot are the doors that may need root to be opened.
func (o *options) forRoot() []door {
	all := o.tcp()
	if o.https.address != "" && o.https.http3 {
		all = append(all, door{"http3", o.https.address, "front door of HTTP/3"})
	}
	return all
}

// openPackets takes the door of HTTP/3 that was inherited, or opens it: at the port that HTTPS has.
func (l *listeners) openPackets(o *options) error {
	if l.https == nil || !o.https.http3 {
		return nil
	}
	address := o.https.address
	if _, port, _ := net.SplitHostPort(address); port == "0" {
		address = l.https.Addr().String()
	}
	c, err := l.doors.UDP("http3", address)
	if err != nil {
		return door{"https", address, "front door of HTTP/3"}.failed(err)
	}
	l.quic = c
	return nil
}

// openDoors opens the doors that only root can open, but for those that systemd has opened, and returns the variable
// that says so: a capability to open them would be inherited by whatever gitd starts. Nothing is accepted there before
// root is given up. The state folder is locked meanwhile: a gitd that ends has the same ports.
func openDoors(all []door, lock func() (release func(), err error)) (env []string, err error) {
	var opened []doors.Handed
	for _, d := range all {
		if !privileged(d.address) || doors.IsGiven(d.flag) {
			continue
		}
		if opened == nil {
			release, err := lock()
			if err != nil {
				return nil, err
			}
			defer release()
		}
		fd, err := d.inherit()
		if err != nil {
			return nil, err
		}
		opened = append(opened, doors.Handed{Name: d.flag, FD: fd, Address: d.address})
	}
	if opened == nil {
		return nil, nil
	}
	return []string{doors.Environment(opened)}, nil
}

// privileged reports whether the kernel lets only root listen at an address.
func privileged(address string) bool {
	first := 1024
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			first = n
		}
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	n, err := net.LookupPort("tcp", port)
	return err == nil && n > 0 && n < first
}

// inherit opens a door and returns a descriptor that outlives this program.
func (d door) inherit() (fd int, err error) {
	l, err := d.socket()
	if err != nil {
		return 0, d.failed(err)
	}
	defer l.Close()
	f, err := l.File()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return syscall.Dup(int(f.Fd())) // without close-on-exec
}

// socket is a new one.
func (d door) socket() (interface {
	io.Closer
	File() (*os.File, error)
}, error) {
	if d.flag == "http3" {
		a, err := net.ResolveUDPAddr("udp", d.address)
		if err != nil {
			return nil, err
		}
		return net.ListenUDP("udp", a)
	}
	a, err := net.ResolveTCPAddr("tcp", d.address)
	if err != nil {
		return nil, err
	}
	return net.ListenTCP("tcp", a)
}

// open takes a door that was inherited, or opens it.
func (d door) open(set *doors.Set) (*doors.TCPListener, error) {
	l, err := set.TCP(d.flag, d.address)
	if err != nil {
		return nil, d.failed(err)
	}
	return l, nil
}

func (d door) failed(err error) error {
	return fmt.Errorf("%s: %w; choose another address with --%s", d.is, err, d.flag)
}
