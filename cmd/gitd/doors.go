package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// door is an address at which gitd listens.
type door struct{ flag, address, is string }

func (o *options) tcp() []door {
	return []door{{"ssh", o.ssh, "ssh door"}, {"http", o.http, "front door"}}
}

// openedVar has the descriptors of the doors that root has opened: "ssh=7,http=8". A capability to open them would be
// inherited by whatever gitd starts.
const openedVar = "GITD_OPENED"

// openDoors opens the doors that only root can open, and returns the variable that says so. Nothing is accepted there
// before root is given up. The state folder is locked meanwhile: a gitd that ends has the same ports.
func openDoors(doors []door, lock func() (release func(), err error)) (env []string, err error) {
	var opened []string
	for _, d := range doors {
		if !privileged(d.address) {
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
		opened = append(opened, d.flag+"="+strconv.Itoa(fd))
	}
	if opened == nil {
		return nil, nil
	}
	return []string{openedVar + "=" + strings.Join(opened, ",")}, nil
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
	l, err := net.Listen("tcp", d.address)
	if err != nil {
		return 0, d.failed(err)
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return syscall.Dup(int(f.Fd())) // without close-on-exec
}

// opened takes the variable of openDoors out of the environment: the descriptors are this process's alone.
func opened() string {
	text := os.Getenv(openedVar)
	os.Unsetenv(openedVar) //nolint:errcheck // it cannot fail for a good name
	return text
}

// open takes a door that root has opened, or opens it.
func (d door) open(opened string) (net.Listener, error) {
	for entry := range strings.SplitSeq(opened, ",") {
		name, text, _ := strings.Cut(entry, "=")
		fd, err := strconv.Atoi(text)
		if name != d.flag || err != nil {
			continue
		}
		f := os.NewFile(uintptr(fd), d.address)
		defer f.Close() // the listener has a descriptor of its own, which no program that gitd starts inherits
		l, err := net.FileListener(f)
		if err != nil {
			return nil, d.failed(err)
		}
		return l, nil
	}
	l, err := net.Listen("tcp", d.address)
	if err != nil {
		return nil, d.failed(err)
	}
	return l, nil
}

func (d door) failed(err error) error {
	return fmt.Errorf("%s: %w; choose another address with --%s", d.is, err, d.flag)
}
