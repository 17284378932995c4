package session

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"
)

// Connect opens uri and explains why it cannot.
func Connect(ctx context.Context, uri string) (*libvirt.Connect, error) {
	type result struct {
		conn *libvirt.Connect
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := libvirt.NewConnect(uri)
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, fmt.Errorf("connect to libvirt at %s: %w%s", uri, Plain(r.err), connectHint(uri, r.err))
		}
		return r.conn, nil
	case <-ctx.Done():
		go func() {
			if r := <-done; r.err == nil {
				r.conn.Close() // nobody has used it
			}
		}()
		return nil, fmt.Errorf("connect to libvirt at %s: %w", uri, ctx.Err())
	}
}

// connectHint says what to do about a failed connection.
func connectHint(uri string, err error) string {
	var e libvirt.Error
	embedded := strings.HasPrefix(uri, "qemu:///embed")
	missing := []libvirt.ErrorNumber{libvirt.ERR_NO_CONNECT, libvirt.ERR_CONFIG_UNSUPPORTED, libvirt.ERR_INVALID_CONN, libvirt.ERR_NO_SUPPORT}
	switch {
	case !errors.As(err, &e):
		return "; is libvirt installed? scripts/setup installs it"
	case embedded && strings.Contains(e.Message, "driver.pid"):
		return "; another gitd runs on this state folder: stop it, or choose another --state"
	case embedded && slices.Contains(missing, e.Code):
		return "; libvirt's QEMU driver is missing (libvirt-daemon-driver-qemu): run scripts/setup"
	case embedded:
		return ""
	default:
		return "; does that libvirt run, and may this user use it?"
	}
}
