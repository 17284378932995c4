// Package overview is the overview of the apps in a terminal: a list that looks again each second, and over it the log
// of one app.
//
// It owns the screen and its keys. It does not own what is true of an app, nor which apps its reader may see (Source).
package overview

import (
	"context"
	"errors"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/nodeos-dev/gitd/internal/core"
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
	Remote string // what an app is pushed to, for a reader without any
}

// Show shows from until its reader leaves.
func Show(ctx context.Context, from Source, s Screen) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := tea.NewProgram(newModel(ctx, from, s),
		tea.WithContext(ctx), tea.WithInput(s.In), tea.WithOutput(s.Out),
		tea.WithWindowSize(s.Window.Width, s.Window.Height),
		// The daemon's own signals and environment are not the reader's.
		tea.WithoutSignalHandler(), tea.WithEnvironment([]string{"TERM=xterm-256color"}), tea.WithColorProfile(colorprofile.ANSI),
	)
	go passSizes(ctx, s.Window.Resized, p)
	_, err := p.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil // the reader has gone
	}
	return err
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
