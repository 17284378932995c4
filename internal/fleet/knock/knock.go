// Package knock finds out whether a candidate takes connections at the ports that its app exposes.
//
// It owns how that is asked. It does not own what follows from it (package fleet).
package knock

import (
	"context"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/guestport"
)

// pause is between two attempts at one port.
const pause = 200 * time.Millisecond

// All returns when the machine at addr takes connections at all ports. If it does not until ctx ends, the error names
// the first port that does not.
func All(ctx context.Context, addr string, ports []int) error {
	for _, port := range ports {
		for {
			c, err := guestport.Dial(ctx, addr, port)
			if err == nil {
				c.Close()
				break
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return core.Reject(fmt.Sprintf("the app does not listen on port %d, which package.json exposes", port),
					fmt.Sprintf("listen there on all addresses (0.0.0.0 or ::), or take %d out of \"nodeos\": {\"expose\": …}", port))
			}
		}
	}
	return nil
}
