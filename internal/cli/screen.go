package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"gitd/internal/core"
	"gitd/internal/progress"
)

// source is what a screen shows.
type source interface {
	overviewRows(ctx context.Context) ([]overviewRow, error)
	openLog(ctx context.Context, app string) (<-chan core.Line, error)
}

// screen is the overview: the apps, and over them the log of one. Its
// methods are bubbletea's; nothing in them waits.
type screen struct {
	ctx  context.Context
	from source
	size Size

	rows   []overviewRow
	asked  bool // whether rows were read at least once
	err    error
	cursor int
	first  int // row at the top
	log    *logPane
}

func newScreen(ctx context.Context, from source, size Size) *screen {
	return &screen{ctx: ctx, from: from, size: size}
}

type rowsMsg struct {
	rows []overviewRow
	err  error
}

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return s.read }

// read looks at the apps.
func (s *screen) read() tea.Msg {
	rows, err := s.from.overviewRows(s.ctx)
	return rowsMsg{rows, err}
}

// Update implements tea.Model.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.size = Size{msg.Width, msg.Height}
	case rowsMsg:
		s.compare(msg.rows)
		s.keepCursor(msg.rows)
		s.asked, s.err = true, msg.err
		return s, tea.Tick(refresh, func(time.Time) tea.Msg { return s.read() })
	case linesMsg:
		if s.log != nil && msg.pane == s.log {
			return s, s.log.add(msg)
		}
	case tea.KeyPressMsg:
		return s, s.press(msg.String())
	}
	return s, nil
}

// compare gives each row what happened since the look before.
func (s *screen) compare(rows []overviewRow) {
	before := map[string]overviewRow{}
	for _, r := range s.rows {
		before[r.App] = r
	}
	for i := range rows {
		rows[i].compare(before[rows[i].App])
	}
}

// keepCursor stays on the same app when others come and go.
func (s *screen) keepCursor(rows []overviewRow) {
	if s.cursor < len(s.rows) {
		app := s.rows[s.cursor].App
		for i, r := range rows {
			if r.App == app {
				s.cursor = i
			}
		}
	}
	s.rows = rows
	s.cursor = max(0, min(s.cursor, len(rows)-1))
}

func (s *screen) press(key string) tea.Cmd {
	if key == "ctrl+c" {
		s.closeLog()
		return tea.Quit
	}
	if s.log != nil {
		if key == "q" || key == "esc" || key == "left" || key == "backspace" {
			s.closeLog()
			return tea.ClearScreen
		}
		s.log.scroll(key, s.size.Height-2)
		return nil
	}
	switch key {
	case "q", "esc":
		return tea.Quit
	case "up", "k":
		s.cursor = max(0, s.cursor-1)
	case "down", "j":
		s.cursor = max(0, min(s.cursor+1, len(s.rows)-1))
	case "home", "g":
		s.cursor = 0
	case "end", "G":
		s.cursor = max(0, len(s.rows)-1)
	case "enter", "right", "l":
		if s.cursor < len(s.rows) {
			return s.showLog(s.rows[s.cursor].App)
		}
	}
	return nil
}

func (s *screen) showLog(app string) tea.Cmd {
	ctx, cancel := context.WithCancel(s.ctx)
	s.log = &logPane{app: app, close: cancel}
	lines, err := s.from.openLog(ctx, app)
	if err != nil {
		s.closeLog()
		s.err = err
		return nil
	}
	s.log.from = lines
	return tea.Batch(tea.ClearScreen, s.log.wait)
}

func (s *screen) closeLog() {
	if s.log != nil {
		s.log.close()
		s.log = nil
	}
}

// View implements tea.Model.
func (s *screen) View() tea.View {
	lines := s.appLines()
	if s.log != nil {
		lines = s.log.lines(s.size)
	}
	for i, l := range lines {
		lines[i] = ansi.Truncate(l, s.size.Width, "…")
	}
	v := tea.NewView(strings.Join(lines[:max(0, min(len(lines), s.size.Height))], "\n"))
	v.AltScreen = true
	return v
}

func (s *screen) appLines() []string {
	title := fmt.Sprintf(" gitd: %d apps    ↑ ↓ enter: log    q: leave", len(s.rows))
	lines := []string{reverse(pad(title, s.size.Width))}
	switch {
	case s.err != nil:
		return append(lines, "", " "+progress.Printable(words(s.err)))
	case !s.asked:
		return lines
	case len(s.rows) == 0:
		return append(lines, "", " No app yet. The first push makes one: git push ssh://nodeos@HOST:2222/APP main")
	}
	cells := [][]string{overviewHeader()}
	for _, r := range s.rows {
		cells = append(cells, r.cells())
	}
	widths := columns(cells)
	fit(widths, s.size.Width-1)
	lines = append(lines, " "+bold(plainLine(cells[0], widths)))
	room := max(1, s.size.Height-len(lines))
	s.first = max(0, max(s.cursor-room+1, min(s.first, s.cursor)))
	for i := s.first; i < min(len(s.rows), s.first+room); i++ {
		line := " " + plainLine(cells[i+1], widths)
		if i == s.cursor {
			line = reverse(pad(line, s.size.Width))
		}
		lines = append(lines, line)
	}
	return lines
}

func plainLine(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(pad(ansi.Truncate(cell, widths[i], "…"), widths[i]) + strings.Repeat(" ", gap))
	}
	return strings.TrimRight(b.String(), " ")
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-ansi.StringWidth(s)))
}

func reverse(s string) string { return sgr("7", s) }
