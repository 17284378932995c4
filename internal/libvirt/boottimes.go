package libvirt

import (
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// longestPhase limits the time that a guest can claim for one phase.
const longestPhase = time.Hour

// bootClock puts the phases of one boot together, as far as they are known.
type bootClock struct {
	times  core.BootTimes
	kernel time.Duration // the guest's clock when init began
	known  bool
}

// booted notes the times that a guest sends when it has its disks, and returns the phases that are known. called is
// when Boot was called, running is when the machine's processor began to run (zero for an adopted machine, of which
// this is not known), and now is when the message came. It returns nil if the guest sends no times.
func (c *bootClock) booted(b guest.Booted, called, running, now time.Time) *core.BootTimes {
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

// listening notes the later phases, and returns all phases, or nil if they are not known.
func (c *bootClock) listening(l *guest.Listening) *core.BootTimes {
	if l == nil || !c.known {
		return nil
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
