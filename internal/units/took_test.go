package units

import (
	"testing"
	"time"
)

func TestTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0ms", 35 * time.Millisecond: "35ms", time.Second: "1.0s", 4149 * time.Millisecond: "4.1s", time.Minute: "60.0s",
	} {
		if got := Took(d); got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
}
