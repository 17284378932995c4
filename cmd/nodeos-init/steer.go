package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// steering leads connections that come for a port of this machine to a socket that listens elsewhere in it: on another
// port, or for the loopback interface only. A BPF program (sk_lookup) chooses the socket when a connection opens; from
// then on it is a connection like any other, which nobody forwards. While there is no steering, the kernel does not
// even look for such a program.
type steering struct {
	sockets int // a map of one socket, which leaves it when it is closed
	link    int // holds the program at the network; closing it ends the steering
}

// newSteering leads connections for port to nowhere else, until to is called.
func newSteering(port int) (*steering, error) {
	sockets, err := newSocketMap()
	if err != nil {
		return nil, fmt.Errorf("map of sockets: %w", err)
	}
	p := steerProgram(port, sockets)
	fd, err := p.loadAs(unix.BPF_PROG_TYPE_SK_LOOKUP, unix.BPF_SK_LOOKUP)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load sk_lookup: %w", err), unix.Close(sockets))
	}
	link, err := attachToNetwork(fd)
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return nil, errors.Join(fmt.Errorf("attach sk_lookup: %w", err), unix.Close(sockets))
	}
	return &steering{sockets, link}, nil
}

// attachToNetwork attaches a program to the network of this process.
func attachToNetwork(program int) (link int, err error) {
	network, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return -1, err
	}
	defer network.Close()
	attr := struct{ program, target, kind, flags uint32 }{uint32(program), uint32(network.Fd()), unix.BPF_SK_LOOKUP, 0}
	return bpf(unix.BPF_LINK_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

func newSocketMap() (int, error) {
	const wordSize = 4
	attr := struct{ kind, key, value, entries uint32 }{unix.BPF_MAP_TYPE_SOCKMAP, wordSize, wordSize, 1}
	return bpf(unix.BPF_MAP_CREATE, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

// to leads connections to the listening socket fd. The caller keeps fd, and may close it.
func (s *steering) to(fd int) error {
	key, value := uint32(0), uint32(fd)
	attr := struct {
		table, _   uint32
		key, value unsafe.Pointer
		flags      uint64
	}{table: uint32(s.sockets), key: unsafe.Pointer(&key), value: unsafe.Pointer(&value)}
	_, err := bpf(unix.BPF_MAP_UPDATE_ELEM, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
	return err
}

func (s *steering) close() {
	unix.Close(s.link)
	unix.Close(s.sockets)
}

// Offsets in struct bpf_sk_lookup.
const (
	lookupProtocol  = 12
	lookupLocalPort = 60 // in the byte order of the machine
)

// steerProgram assigns the socket in the map to what comes for port. If there is none, or it does not fit (IPv6 for a
// socket of IPv4), the kernel goes on as if there were no program. Of several sockets that share their port, the kernel
// chooses one, as it does without a program.
func steerProgram(port, sockets int) program {
	p := program{}
	p.move(r6, r1)
	p.load(r0, r6, lookupProtocol, word)
	p.jumpUnless(r0, unix.IPPROTO_TCP, "pass")
	p.load(r0, r6, lookupLocalPort, word)
	p.jumpUnless(r0, int32(port), "pass")
	const key = -4
	p.storeZero(key)
	p.loadMap(r1, sockets)
	p.stackAddress(r2, key)
	p.call(mapLookup)
	p.jumpIfNull(r0, "pass")
	p.move(r7, r0)
	p.move(r1, r6)
	p.move(r2, r7)
	p.set(r3, 0)
	p.call(skAssign)
	p.move(r1, r7)
	p.call(skRelease)
	p.label("pass")
	p.exit(1)
	return p
}

var errNoOwner = errors.New("no process has that socket")

// takeSocket returns a descriptor of a socket of another process, by its inode. The socket lives for as long as the
// descriptor does.
func takeSocket(inode string) (fd int, err error) {
	err = errNoOwner
	for _, id := range processIDs() {
		if n, found := findDescriptor("/proc/"+id+"/fd", "socket:["+inode+"]"); found {
			pid, convErr := strconv.Atoi(id)
			if convErr != nil {
				return -1, convErr
			}
			if fd, err = copyDescriptor(pid, n); err == nil {
				return fd, nil
			}
		}
	}
	return -1, err
}

// findDescriptor looks in dir for a descriptor of what. It reads the folder in parts: an app may have a million.
func findDescriptor(dir, what string) (n int, found bool) {
	d, err := os.Open(dir)
	if err != nil {
		return 0, false
	}
	defer d.Close()
	for {
		names, err := d.Readdirnames(256)
		for _, name := range names {
			if target, err := os.Readlink(dir + "/" + name); err == nil && target == what {
				n, err := strconv.Atoi(name)
				return n, err == nil
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			return 0, false
		}
	}
}

func copyDescriptor(pid, n int) (int, error) {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(process)
	fd, err := unix.PidfdGetfd(process, n, 0)
	if err != nil {
		return -1, fmt.Errorf("socket of process %d: %w", pid, err)
	}
	return fd, nil
}
