// Package throttle is a reader that does not read faster than it may.
package throttle

import (
	"bytes"
	"io"
	"time"
)

// These limit what gitd reads from one guest. The rest stays where it is: in the channel, and then in the guest, whose
// init drops the oldest lines and says how many. At this rate, reading costs a few percent of a processor.
const (
	bytesPerSecond = 2 << 20
	// Burst is how many bytes are read at once from a guest that has been silent.
	Burst = 4 << 20
	// lineCost is what a line counts on top of its bytes: to read a short line is nearly as much work as to read a long
	// one.
	lineCost = 512
	// readBytes is the most that is read at once.
	readBytes = 64 << 10
)

// Throttle is a reader that does not read faster than it may.
type Throttle struct {
	r    io.Reader
	left int       // bytes that may be read now; below 0: so many must be earned before the next read
	at   time.Time // when left was last computed
	now  func() time.Time
	wait func(time.Duration)
}

// New limits r until left or gone is closed. Then it waits no more: a machine that is gone has left little to
// read.
func New(r io.Reader, left, gone <-chan struct{}) *Throttle {
	return &Throttle{r: r, left: Burst, at: time.Now(), now: time.Now, wait: func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-left:
		case <-gone:
		}
	}}
}

// Read implements io.Reader.
func (t *Throttle) Read(p []byte) (int, error) {
	t.earn()
	if t.left < 0 {
		t.wait(time.Duration(-t.left) * time.Second / bytesPerSecond)
		t.earn()
	}
	n, err := t.r.Read(p[:min(len(p), readBytes)])
	t.left -= n + lineCost*bytes.Count(p[:n], []byte{'\n'})
	return n, err
}

// earn adds the bytes that may be read for the time since the last call.
func (t *Throttle) earn() {
	now := t.now()
	earned := now.Sub(t.at).Seconds() * bytesPerSecond
	t.at = now
	t.left = min(Burst, t.left+int(min(earned, 2*Burst+readBytes*lineCost)))
}
