package overview

import (
	"context"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

const (
	paneLines = 2000 // of one log that are kept
	paneBatch = 500  // lines for which it is drawn once
	paneWidth = 1024 // bytes of a line that are kept
)

// logPane is the log of one app on the screen.
type logPane struct {
	app   string
	from  <-chan core.Line
	close context.CancelFunc
	text  []string
	above int // lines scrolled up from the end; 0: it follows
	over  bool
}

type linesMsg struct {
	pane  *logPane
	lines []core.Line
	over  bool // no more will come
}

// wait takes the next lines, as many as are there.
func (p *logPane) wait() tea.Msg {
	l, ok := <-p.from
	msg := linesMsg{pane: p, over: !ok}
	for ok && len(msg.lines) < paneBatch {
		msg.lines = append(msg.lines, l)
		select {
		case l, ok = <-p.from:
			if ok {
				continue
			}
			msg.over = true
		default:
		}
		return msg
	}
	if ok {
		msg.lines = append(msg.lines, l)
	}
	return msg
}

// add takes lines in and asks for the next.
func (p *logPane) add(msg linesMsg) tea.Cmd {
	for _, l := range msg.lines {
		p.text = append(p.text, fmt.Sprintf("%s %s %s: %s", l.Time.UTC().Format("15:04:05"), l.Who(), l.Stream, progress.Printable(l.Text[:min(len(l.Text), paneWidth)])))
		if p.above > 0 {
			p.above++ // what is being read stays where it is
		}
	}
	if over := len(p.text) - paneLines; over > 0 {
		p.text = append(p.text[:0], p.text[over:]...)
	}
	p.above = min(p.above, len(p.text))
	if p.over = msg.over; p.over {
		return nil
	}
	return p.wait
}

func (p *logPane) scroll(key string, page int) {
	switch key {
	case "up", "k":
		p.above++
	case "down", "j":
		p.above--
	case "pgup", "b":
		p.above += page
	case "pgdown", "space":
		p.above -= page
	case "home", "g":
		p.above = len(p.text)
	case "end", "G":
		p.above = 0
	}
	p.above = max(0, min(p.above, len(p.text)-page))
}

// lines draws the pane.
func (p *logPane) lines(size terminal.Size) []string {
	state := "live"
	if p.above > 0 {
		state = fmt.Sprintf("%d lines below", p.above)
	}
	if p.over {
		state = "ended"
	}
	title := fmt.Sprintf(" log of %s: %s    ↑ ↓ pgup pgdown end    q: back", p.app, state)
	end := len(p.text) - p.above
	start := max(0, end-max(0, size.Height-1))
	lines := []string{terminal.Reverse(terminal.Pad(title, size.Width))}
	if len(p.text) == 0 {
		return append(lines, "", " It has said nothing yet.")
	}
	return append(lines, p.text[start:end]...)
}
