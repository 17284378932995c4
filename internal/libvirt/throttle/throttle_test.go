package throttle

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestThrottle: however long a guest floods, and with whatever bytes, gitd reads the burst, and then no more than its
// rate.
func TestThrottle(t *testing.T) {
	for name, flood := range map[string]string{
		"long lines": strings.Repeat("x", 9999) + "\n", "no lines": "x", "short lines": "{}\n", "empty lines": "\n",
	} {
		clock := time.Unix(0, 0)
		th := New(&endless{text: []byte(flood)}, nil, nil)
		th.at, th.now, th.wait = clock, func() time.Time { return clock }, func(d time.Duration) { clock = clock.Add(d) }
		var read, lines int
		buf := make([]byte, 1<<20)
		const seconds = 10
		for clock.Before(time.Unix(seconds, 0)) {
			n, err := th.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			read += n
			lines += bytes.Count(buf[:n], []byte{'\n'})
		}
		const may = Burst + seconds*bytesPerSecond
		if cost := read + lineCost*lines; cost > may+2*readBytes*(lineCost+1) || cost < may*9/10 {
			t.Errorf("%s: read %d bytes in %d lines, which cost %d of %d", name, read, lines, cost, may)
		}
	}
}

// endless repeats a text.
type endless struct {
	text []byte
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = e.text[e.at]
		e.at = (e.at + 1) % len(e.text)
	}
	return len(p), nil
}
