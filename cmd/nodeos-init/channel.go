package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// port is the guest's end of the control channel. Reads and writes wait while no host is connected.
type port struct {
	file *os.File
	raw  syscall.RawConn
}

// openPort waits for the virtio-serial port called name and opens it.
func openPort(name string) (*port, error) {
	dev, err := waitDevice(func() (string, error) {
		dev, seen, err := deviceByFile(os.DirFS("/sys/class/virtio-ports"), "*/name", name)
		if errors.Is(err, errNoDevice) {
			err = fmt.Errorf("control channel %q: %w; there are %q", name, err, seen)
		}
		return dev, err
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile("/dev/"+dev, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("control channel: %w", err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("control channel: %w", err)
	}
	return &port{file: f, raw: raw}, nil
}

// Read returns what the host sends. While no host is connected, the driver answers a read with 0 bytes, which os.File
// would take for the end of the file. The poller is edge-triggered and wakes Read when a host connects.
func (p *port) Read(b []byte) (n int, err error) {
	waitErr := p.raw.Read(func(fd uintptr) bool {
		n, err = unix.Read(int(fd), b)
		return n > 0 || err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	return max(n, 0), errors.Join(waitErr, err)
}

func (p *port) Write(b []byte) (int, error) { return p.file.Write(b) }

// readMessages sends the host's messages to the channel to, until the control channel fails or ctx ends.
func readMessages(ctx context.Context, p io.Reader, to chan<- guest.Message) {
	r := guest.NewReader(p)
	for {
		m, err := r.Read()
		if errors.Is(err, io.EOF) { // of the message on a disk; the channel has no end
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "nodeos-init: control channel:", err)
			return
		}
		select {
		case to <- m:
		case <-ctx.Done():
			return
		}
	}
}
