// Command gitd-hook is the hooks that git runs during a push: each is this program under the hook's name.
//
// It is not gitd itself: a push starts it twice, and gitd takes ten times as long to start, with libvirt and all that
// it knows.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/hooks"
	"github.com/nodeos-dev/gitd/internal/progress"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := hooks.Run(ctx, filepath.Base(os.Args[0]), os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, " !     "+progress.Printable(err.Error()))
		os.Exit(1)
	}
}
