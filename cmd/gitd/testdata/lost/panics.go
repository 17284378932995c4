// This file is added to the nodeos-init of TestLostMachines (go build -overlay). If the app makes the file /tmp/panic,
// process 1 ends, and then every kernel panics. The product contains nothing of it.
package main

import (
	"os"
	"time"
)

func init() {
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			if _, err := os.Stat("/tmp/panic"); err == nil {
				os.Exit(1)
			}
		}
	}()
}
