package libvirt

import (
	"bytes"
	"io"
	"time"
)

// What a guest may have of this process. More is left where it is: in the
// channel, then in the guest, whose init drops the oldest lines and says how
// many. At this rate reading costs a few percent of a processor.
const (
	bytesPerSecond = 2 << 20
	burstBytes     = 4 << 20
	// A line costs this much on top of its bytes: reading a short one is
	// nearly as much work as reading a long one.
	lineCost = 512
	// The most that is read at once.
	readBytes = 64 << 10
)

// throttle is a reader that does not read faster than it may.
type throttle struct {
	r    io.Reader
	left int       // what may be read now; below 0: when a second of it is over
	at   time.Time // when left was so
	now  func() time.Time
	wait func(time.Duration)
}

// newThrottle limits r until either is closed: what a machine that is gone has
// left behind is little.
func newThrottle(r io.Reader, left, gone <-chan struct{}) *throttle {
	return &throttle{r: r, left: burstBytes, at: time.Now(), now: time.Now, wait: func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-left:
		case <-gone:
		}
	}}
}

// Read implements io.Reader.
func (t *throttle) Read(p []byte) (int, error) {
	t.earn()
	if t.left < 0 {
		t.wait(time.Duration(-t.left) * time.Second / bytesPerSecond)
		t.earn()
	}
	n, err := t.r.Read(p[:min(len(p), readBytes)])
	t.left -= n + lineCost*bytes.Count(p[:n], []byte{'\n'})
	return n, err
}

// earn adds what the time since the last call is worth.
func (t *throttle) earn() {
	now := t.now()
	earned := now.Sub(t.at).Seconds() * bytesPerSecond
	t.at = now
	t.left = min(burstBytes, t.left+int(min(earned, 2*burstBytes+readBytes*lineCost)))
}
