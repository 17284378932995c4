package phases

import (
	"math"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

func TestClock(t *testing.T) {
	at := func(ms int) time.Time { return time.Unix(1750000000, 0).Add(time.Duration(ms) * time.Millisecond) }
	ms := func(n ...int) core.BootTimes {
		var d [6]time.Duration
		for i := range n {
			d[i] = time.Duration(n[i]) * time.Millisecond
		}
		return core.BootTimes{Host: d[0], Firmware: d[1], Kernel: d[2], Init: d[3], Node: d[4], App: d[5]}
	}
	for _, tt := range []struct {
		name    string
		booted  guest.Booted
		running time.Time
		then    *guest.Listening
		first   core.BootTimes
		all     core.BootTimes
	}{
		{"a boot", guest.Booted{KernelMillis: 600, InitMillis: 700}, at(900), &guest.Listening{StartMillis: 750, CodeMillis: 1500, ListenMillis: 1600},
			ms(900, 400, 600), ms(900, 400, 600, 150, 750, 100)},
		{"libvirt is late", guest.Booted{KernelMillis: 600, InitMillis: 700}, at(1500), &guest.Listening{StartMillis: 750, ListenMillis: 1600},
			ms(1300, 0, 600), ms(1300, 0, 600, 150, 0, 850)},
		{"adopted", guest.Booted{KernelMillis: 600, InitMillis: 700}, time.Time{}, &guest.Listening{StartMillis: 750, CodeMillis: 1500, ListenMillis: 1600},
			ms(0, 0, 600), ms(0, 0, 600, 150, 750, 100)},
		{"hostile", guest.Booted{KernelMillis: 1, InitMillis: math.MaxInt}, at(900), &guest.Listening{StartMillis: math.MinInt, CodeMillis: math.MaxInt, ListenMillis: -1},
			core.BootTimes{Kernel: time.Millisecond}, core.BootTimes{Kernel: time.Millisecond}},
	} {
		var c Clock
		if got := c.Booted(tt.booted, at(0), tt.running, at(2000)); got == nil || *got != tt.first {
			t.Errorf("%s: booted: %v, want %v", tt.name, got, tt.first)
		}
		if got := c.Listening(tt.then); got == nil || *got != tt.all {
			t.Errorf("%s: listening: %v, want %v", tt.name, got, tt.all)
		}
	}
	var c Clock
	c.Booted(guest.Booted{KernelMillis: 600, InitMillis: 700}, at(0), at(900), at(2000))
	if got := c.Handed(at(9000), at(9040)); *got != ms(40) {
		t.Errorf("a spare machine that is handed over: %v", got)
	}
	then := &guest.Listening{BeginMillis: 8000, StartMillis: 8050, CodeMillis: 8070, ListenMillis: 8100}
	if got := c.Listening(then); *got != ms(40, 0, 0, 50, 20, 30) {
		t.Errorf("a spare machine that listens: %v", got)
	}
	c = Clock{}
	if c.Booted(guest.Booted{Kernel: "6.1"}, at(0), at(1), at(2)) != nil || c.Listening(&guest.Listening{}) != nil || c.Listening(nil) != nil {
		t.Error("a guest that does not say has boot times")
	}
}
