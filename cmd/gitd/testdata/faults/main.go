// This file takes the place of cmd/gitd/main.go in the gitd that the fault tests run (go build -overlay). The product
// contains nothing of it. Each transition is sent to the test, and gitd goes on when the test lets it. So a fault can
// be made exactly between one step of a deployment and the next.
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if socket := os.Getenv("GITD_TEST_OBSERVER"); socket != "" {
		observe = func(x core.Transition) { passOn(socket, x) }
	}
	if os.Getenv("GITD_TEST_UNFOLDED") != "" {
		tend = func(_ *ledger.Ledger, ctx context.Context, _ *slog.Logger) error { <-ctx.Done(); return nil }
	}
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// passOn sends one transition and waits until the test closes the connection.
func passOn(socket string, x core.Transition) {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return // the test has ended
	}
	defer c.Close()
	if json.NewEncoder(c).Encode(x) == nil {
		c.Read(make([]byte, 1)) // this returns when the test closes the connection
	}
}
