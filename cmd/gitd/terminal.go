package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/charmbracelet/x/term"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// leaveScreen undoes what the overview did to a terminal, when the daemon was killed and cannot: it leaves the other
// screen, and shows the cursor.
const leaveScreen = "\x1b[?1049l\x1b[?25h"

// terminal adds the terminal on standard output, if it is one, to a call. If the command draws on the terminal, it gets
// the keys too. The caller must call restore.
func (h *host) terminal(cmd *cobra.Command, call *control.Call, streams *control.Streams) (restore func()) {
	out, ok := h.out.(*os.File)
	if !ok || !term.IsTerminal(out.Fd()) {
		return func() {}
	}
	size := sizeOf(out)
	call.Size = &size
	in, ok := h.in.(*os.File)
	if ok && cli.HidesInput(call.Args) {
		return hidden(in)
	}
	if !cli.TakesKeys(call.Args) || !ok {
		return func() {}
	}
	before, err := term.MakeRaw(in.Fd())
	if err != nil {
		if cmd.Name() != cli.OverviewName {
			call.Size = nil // a command whose input is no terminal runs on none
		}
		return func() {} // standard input is no terminal: what is typed comes line by line
	}
	changed, sizes := make(chan os.Signal, 1), make(chan control.Size)
	signal.Notify(changed, unix.SIGWINCH)
	streams.Resized = sizes
	go func() {
		defer close(sizes)
		for range changed {
			select {
			case sizes <- sizeOf(out):
			case <-cmd.Context().Done():
				return
			}
		}
	}()
	return func() {
		signal.Stop(changed)
		close(changed)
		term.Restore(in.Fd(), before) //nolint:errcheck // nothing is left to try
	}
}

// hidden has what is typed on a terminal, if in is one, not be shown until restore.
func hidden(in *os.File) (restore func()) {
	before, err := unix.IoctlGetTermios(int(in.Fd()), unix.TCGETS)
	if err != nil {
		return func() {}
	}
	silent := *before
	silent.Lflag &^= unix.ECHO
	if unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, &silent) != nil {
		return func() {}
	}
	return func() { unix.IoctlSetTermios(int(in.Fd()), unix.TCSETS, before) } //nolint:errcheck // nothing is left to try
}

func sizeOf(f *os.File) control.Size {
	width, height, err := term.GetSize(f.Fd())
	if err != nil {
		width, height = 0, 0 // the daemon has a default for that
	}
	return control.Size{Width: width, Height: height}
}

// shown returns the terminal of a call, for the commands, until ctx ends.
func shown(ctx context.Context, c control.Call, resized <-chan control.Size) *terminal.Window {
	if c.Size == nil {
		return nil
	}
	form := func(s control.Size) terminal.Size { return terminal.NewSize(s.Width, s.Height) }
	return &terminal.Window{Size: form(*c.Size), Resized: terminal.Sizes(ctx, resized, form)}
}
