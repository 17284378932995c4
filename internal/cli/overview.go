package cli

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/spf13/cobra"

	"gitd/internal/core"
)

// refresh is how often the overview looks again.
const refresh = time.Second

// OverviewName is the command that draws on its caller's terminal.
const OverviewName = "overview"

// openLog implements source.
func (t *tree) openLog(ctx context.Context, app string) (<-chan core.Line, error) {
	return t.Logs.Follow(ctx, app, paneLines/2)
}

func (t *tree) overview() *cobra.Command {
	cmd := &cobra.Command{
		Use: OverviewName, Short: "watch your apps in this terminal: arrow keys, enter for an app's log, q leaves",
		Example: "ssh -t -p 2222 nodeos@HOST", Args: args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if t.Terminal == nil {
			return core.Reject("the overview needs a terminal", "ask ssh for one: ssh -t -p 2222 nodeos@HOST; or list with `apps`")
		}
		return t.watchFrom(cmd.Context(), t)
	}
	return cmd
}

// watchFrom shows from until its reader leaves.
func (t *tree) watchFrom(ctx context.Context, from source) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := tea.NewProgram(newScreen(ctx, from, t.Terminal.Size),
		tea.WithContext(ctx), tea.WithInput(t.In), tea.WithOutput(t.Out),
		tea.WithWindowSize(t.Terminal.Width, t.Terminal.Height),
		// The daemon's own signals and environment are not the reader's.
		tea.WithoutSignalHandler(), tea.WithEnvironment([]string{"TERM=xterm-256color"}), tea.WithColorProfile(colorprofile.ANSI),
	)
	go func() {
		for {
			select {
			case s, ok := <-t.Terminal.Resized:
				if !ok {
					return
				}
				p.Send(tea.WindowSizeMsg{Width: s.Width, Height: s.Height})
			case <-ctx.Done():
				return
			}
		}
	}()
	_, err := p.Run()
	if errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil // the reader has gone
	}
	return err
}
