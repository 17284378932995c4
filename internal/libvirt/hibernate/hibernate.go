// Package hibernate carries the state of a machine out of its QEMU and into another one.
//
// It owns how a QEMU is asked for that, and when it is done. It does not own what becomes of the bytes between, nor the
// machine around the QEMU, which is new.
package hibernate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/libvirt/monitor"
)

// Incoming is for QEMU to wait for a state: "-incoming defer".
const Incoming = "defer"

// name is what a QEMU calls its end of the pipe.
const name = "gitd-state"

// look is how often QEMU is asked whether it is done. It says nothing by itself that libvirt would pass on.
const look = 2 * time.Millisecond

// Out writes the state of a machine that stands still to w.
func Out(ctx context.Context, dom *libvirt.Domain, w io.Writer) error {
	// A pipe has no speed to keep to: QEMU's usual limit is one of a network.
	if err := monitor.Do(dom, nil, "migrate-set-parameters", map[string]any{"max-bandwidth": int64(64) << 30}); err != nil {
		return err
	}
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	defer from.Close()
	if err := give(dom, to, "migrate"); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { from.SetReadDeadline(time.Now()) }) //nolint:errcheck // a pipe has deadlines
	defer stop()
	if _, err := io.Copy(w, from); err != nil {
		from.Close() // which QEMU notices
		return errors.Join(err, await(context.WithoutCancel(ctx), dom))
	}
	return await(ctx, dom)
}

// In has a QEMU that was started with Incoming take the state that r gives. The machine stands still then.
func In(ctx context.Context, dom *libvirt.Domain, r io.Reader) error {
	from, to, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := give(dom, from, "migrate-incoming"); err != nil {
		return errors.Join(err, to.Close())
	}
	// A QEMU that ends takes nothing more, and one that gets no more ends.
	n, err := io.Copy(to, r)
	if err := errors.Join(err, to.Close()); err != nil {
		return err
	}
	if n == 0 { // QEMU waits for more, for ever
		return errors.New("the state of the machine is empty")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, restTime, errors.New("QEMU does not get on with the state of the machine"))
	defer cancel()
	return await(ctx, dom)
}

// restTime is for a QEMU to take what is in the pipe when all was written, and to be ready: the pipe has 64 KiB.
const restTime = 30 * time.Second

// give hands one end of a pipe to QEMU, which begins to use it. The caller has it no more.
func give(dom *libvirt.Domain, end *os.File, command string) error {
	err := monitor.Do(dom, nil, "getfd", map[string]any{"fdname": name}, *end)
	if err := errors.Join(err, end.Close()); err != nil {
		return err
	}
	return monitor.Do(dom, nil, command, map[string]any{"uri": "fd:" + name})
}

// await returns when QEMU has done what it was told, or has failed.
func await(ctx context.Context, dom *libvirt.Domain) error {
	every := time.NewTicker(look)
	defer every.Stop()
	for {
		var at struct {
			Status string `json:"status"`
			Error  string `json:"error-desc"`
		}
		if err := monitor.Do(dom, &at, "query-migrate", nil); err != nil {
			return err
		}
		switch at.Status {
		case "completed":
			return nil
		case "failed", "cancelled":
			return fmt.Errorf("QEMU: the state of the machine: %s: %s", at.Status, at.Error)
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// GoOn has a machine go on that stands still because a gitd has ended while it saved the machine.
func GoOn(dom *libvirt.Domain) error {
	state, reason, err := dom.GetState()
	if err != nil || state != libvirt.DOMAIN_PAUSED || libvirt.DomainPausedReason(reason) == libvirt.DOMAIN_PAUSED_IOERROR {
		return err // the last waits for room on the disk
	}
	return dom.Resume()
}
