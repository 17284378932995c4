// Package heap lets a small heap grow by more than Go does before it is collected.
//
// It owns when the process collects its garbage. It does not own how much memory that may be in all: GOMEMLIMIT does.
package heap

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// room is what the heap may grow by, in bytes, before it is collected, while less than that is alive.
	room = 64 << 20

	// The bounds of what the heap may grow by, in percent of what is alive. The lower one is Go's own; above the higher
	// one, requests did not become faster.
	least, most = 100, 400
)

// Relax collects a heap of a few megabytes less often: a front door makes garbage with each request and keeps little
// of it, and Go would collect it each time when it has doubled. A heap of room and more is collected as Go does. If
// GOGC is set, Relax does nothing.
func Relax() {
	if os.Getenv("GOGC") != "" {
		return
	}
	adjust(least)
}

// adjust sets the percentage, and does so again after each collection.
func adjust(now int) {
	if next := percent(alive()); next != now {
		debug.SetGCPercent(next)
		now = next
	}
	runtime.AddCleanup(new([64]byte), adjust, now)
}

// percent is what a heap may grow by of which so many bytes are alive.
func percent(alive uint64) int {
	return int(min(most, max(least, room*100/max(alive, 1))))
}

// alive is what the last collection left, in bytes.
func alive() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return room // a Go without that figure collects as it likes
	}
	return sample[0].Value.Uint64()
}
