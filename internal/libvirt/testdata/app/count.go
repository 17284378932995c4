package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// longest is how long the slowest write of count took, in microseconds.
var longest atomic.Int64

// count writes 1, 2, … to a file, each on a line, and each on disk before the next.
func count(name string) {
	f, err := os.Create(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	for i := 1; ; i++ {
		began := time.Now()
		if _, err := fmt.Fprintln(f, i); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		if err := f.Sync(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return
		}
		if took := time.Since(began).Microseconds(); took > longest.Load() {
			longest.Store(took)
		}
	}
}
