// This file is added to the nodeos-init of TestLostMachines (go build
// -overlay): an app that makes the file /tmp/panic ends process 1, upon which
// every kernel panics. The product has nothing of it.
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
