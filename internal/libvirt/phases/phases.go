// Package phases says where the time of a boot went.
//
// It owns how the phases follow from what a guest says and when it says it. It believes no guest more than an hour.
package phases

import (
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// longestPhase limits the time that a guest can claim for one phase.
const longestPhase = time.Hour

// Clock puts the phases of one boot together, as far as they are known.
type Clock struct {
	times  core.BootTimes
	kernel time.Duration // the guest's clock when init began
	known  bool
}

// Booted notes the times that a guest sends when it has its disks, and returns the phases that are known. called is
// when Boot was called, running is when the machine's processor began to run (zero for an adopted machine, of which
// this is not known), and now is when the message came. It returns nil if the guest sends no times.
func (c *Clock) Booted(b guest.Booted, called, running, now time.Time) *core.BootTimes {
	if c.known { // it answers on a new channel
		t := c.times
		return &t
	}
	if b.KernelMillis <= 0 || b.InitMillis < b.KernelMillis {
		return nil
	}
	c.known = true
	c.kernel = phase(millis(int64(b.KernelMillis)))
	c.times.Kernel = c.kernel // the time of init is known when the app starts
	if !running.IsZero() {
		// began is when the guest's clock was 0.
		began := now.Add(-phase(millis(int64(b.InitMillis))))
		c.times.Host = phase(running.Sub(called))
		c.times.Firmware = began.Sub(running)
		if c.times.Firmware < 0 {
			// Libvirt was late to say that the machine runs.
			c.times.Host, c.times.Firmware = phase(c.times.Host+c.times.Firmware), 0
		}
		c.times.Firmware = phase(c.times.Firmware)
	}
	t := c.times
	return &t
}

// Handed notes that a machine which was up is given its app. called is when that began; now it has been told.
func (c *Clock) Handed(called, now time.Time) *core.BootTimes {
	c.times = core.BootTimes{Host: phase(now.Sub(called))}
	t := c.times
	return &t
}

// Listening notes the later phases, and returns all phases, or nil if they are not known.
func (c *Clock) Listening(l *guest.Listening) *core.BootTimes {
	if l == nil || !c.known {
		return nil
	}
	if l.BeginMillis > 0 {
		c.kernel = phase(millis(int64(l.BeginMillis)))
	}
	start, code, end := millis(int64(l.StartMillis)), millis(int64(l.CodeMillis)), millis(int64(l.ListenMillis))
	if code < start || code > end {
		code = start // the guest did not see when the app's files were read
	}
	c.times.Init, c.times.Node, c.times.App = phase(start-c.kernel), phase(code-start), phase(end-code)
	t := c.times
	return &t
}

func phase(d time.Duration) time.Duration { return min(max(d, 0), longestPhase) }

// millis returns a guest's figure as a duration, which is 0 or more and does not overflow.
func millis(n int64) time.Duration {
	return time.Duration(min(max(n, 0), int64(longestPhase/time.Millisecond))) * time.Millisecond
}
