// Package overview is the overview of the apps in a terminal: a list that looks again each second, and over it the log
// of one app.
//
// It owns the screen and its keys. It does not own what is true of an app, nor which apps its reader may see (Source).
package overview

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// refresh is how often the overview looks again.
const refresh = time.Second

// Source is what the overview shows.
type Source interface {
	// Rows are the apps that the reader may see.
	Rows(ctx context.Context) ([]Row, error)
	// Log sends the last lines of an app's output, and then live ones until
	// ctx ends.
	Log(ctx context.Context, app string, lines int) (<-chan core.Line, error)
}

// Screen is where the overview is shown.
type Screen struct {
	Window terminal.Window
	In     io.Reader // the reader's keys
	Out    io.Writer
	Empty  string // what a reader without any app is told
}

// Show shows from until its reader leaves or ctx ends. Then the terminal is as it was before, and the last line on it
// says why it ended; nobody reads that line where ctx ended because the reader has gone.
func Show(ctx context.Context, from Source, s Screen) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	p := tea.NewProgram(newModel(inner, from, s),
		tea.WithInput(s.In), tea.WithOutput(s.Out),
		tea.WithWindowSize(s.Window.Width, s.Window.Height),
		// The daemon's own signals and environment are not the reader's.
		tea.WithoutSignalHandler(), tea.WithEnvironment([]string{"TERM=xterm-256color"}), tea.WithColorProfile(colorprofile.ANSI),
	)
	defer context.AfterFunc(ctx, func() {
		cancel() // what the program waits for
		p.Quit() // unlike a kill, this restores the screen
	})()
	go passSizes(inner, s.Window.Resized, p)
	_, err := p.Run()
	if ctx.Err() != nil {
		fmt.Fprintf(s.Out, " !     the overview ends: %s\r\n", reason(ctx))
		return nil
	}
	return err
}

// reason says why ctx ended: what ends it without a reason is the end of gitd.
func reason(ctx context.Context) string {
	if why := context.Cause(ctx); !errors.Is(why, context.Canceled) {
		return progress.Printable(why.Error())
	}
	return "gitd is stopping"
}

// passSizes tells p of each new size of its window until ctx ends.
func passSizes(ctx context.Context, resized <-chan terminal.Size, p *tea.Program) {
	for {
		select {
		case size, ok := <-resized:
			if !ok {
				return
			}
			p.Send(tea.WindowSizeMsg{Width: size.Width, Height: size.Height})
		case <-ctx.Done():
			return
		}
	}
}
