package overview

import (
	"context"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// model is the overview: the apps, and over them the log of one. Its methods
// are bubbletea's; nothing in them waits.
type model struct {
	ctx   context.Context
	from  Source
	size  terminal.Size
	empty string

	rows   []Row
	asked  bool // whether rows were read at least once
	err    error
	cursor int
	first  int // row at the top
	log    *logPane
	help   bool // the keys are shown, over everything else
}

func newModel(ctx context.Context, from Source, s Screen) *model {
	return &model{ctx: ctx, from: from, size: s.Window.Size, empty: s.Empty}
}

type rowsMsg struct {
	rows []Row
	err  error
}

// Init implements tea.Model.
func (m *model) Init() tea.Cmd { return m.read }

// read looks at the apps.
func (m *model) read() tea.Msg {
	rows, err := m.from.Rows(m.ctx)
	return rowsMsg{rows, err}
}

// Update implements tea.Model.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.size = terminal.Size{Width: msg.Width, Height: msg.Height}
	case rowsMsg:
		m.compare(msg.rows)
		m.keepCursor(msg.rows)
		m.asked, m.err = true, msg.err
		return m, tea.Tick(refresh, func(time.Time) tea.Msg { return m.read() })
	case linesMsg:
		if m.log != nil && msg.pane == m.log {
			return m, m.log.add(msg)
		}
	case tea.KeyPressMsg:
		return m, m.press(msg.String())
	}
	return m, nil
}

// compare gives each row what happened since the look before.
func (m *model) compare(rows []Row) {
	before := map[string]Row{}
	for _, r := range m.rows {
		before[r.App] = r
	}
	for i := range rows {
		rows[i].compare(before[rows[i].App])
	}
}

// keepCursor stays on the same app when others come and go.
func (m *model) keepCursor(rows []Row) {
	if m.cursor < len(m.rows) {
		app := m.rows[m.cursor].App
		for i, r := range rows {
			if r.App == app {
				m.cursor = i
			}
		}
	}
	m.rows = rows
	m.cursor = max(0, min(m.cursor, len(rows)-1))
}

func (m *model) press(key string) tea.Cmd {
	if key == "ctrl+c" {
		m.closeLog()
		return tea.Quit
	}
	if m.help || key == "?" {
		m.help = !m.help // whatever is pressed, there is nothing else to do there
		return tea.ClearScreen
	}
	if m.log != nil {
		if key == "q" || key == "esc" || key == "left" || key == "backspace" {
			m.closeLog()
			return tea.ClearScreen
		}
		m.log.scroll(key, m.size.Height-2)
		return nil
	}
	switch key {
	case "q", "esc":
		return tea.Quit
	case "up", "k":
		m.cursor = max(0, m.cursor-1)
	case "down", "j":
		m.cursor = max(0, min(m.cursor+1, len(m.rows)-1))
	case "home", "g":
		m.cursor = 0
	case "end", "G":
		m.cursor = max(0, len(m.rows)-1)
	case "enter", "right", "l":
		if m.cursor < len(m.rows) {
			return m.showLog(m.rows[m.cursor].App)
		}
	}
	return nil
}

func (m *model) showLog(app string) tea.Cmd {
	ctx, cancel := context.WithCancel(m.ctx)
	m.log = &logPane{app: app, close: cancel}
	lines, err := m.from.Log(ctx, app, paneLines/2)
	if err != nil {
		m.closeLog()
		m.err = err
		return nil
	}
	m.log.from = lines
	return tea.Batch(tea.ClearScreen, m.log.wait)
}

func (m *model) closeLog() {
	if m.log != nil {
		m.log.close()
		m.log = nil
	}
}

// View implements tea.Model.
func (m *model) View() tea.View {
	var lines []string
	switch {
	case m.help:
		lines = keyLines(m.size)
	case m.log != nil:
		lines = m.log.lines(m.size)
	default:
		lines = m.appLines()
	}
	for i, l := range lines {
		lines[i] = terminal.Cut(l, m.size.Width)
	}
	v := tea.NewView(strings.Join(lines[:max(0, min(len(lines), m.size.Height))], "\n"))
	v.AltScreen = true
	return v
}

func (m *model) appLines() []string {
	title := fmt.Sprintf(" gitd: %d apps    ↑ ↓ enter: log    ?: keys    q: leave", len(m.rows))
	lines := []string{terminal.Reverse(terminal.Pad(title, m.size.Width))}
	switch {
	case m.err != nil:
		return append(lines, "", " "+progress.Printable(m.err.Error()))
	case !m.asked:
		return lines
	case len(m.rows) == 0:
		return append(lines, "", " "+m.empty)
	}
	return m.detail(m.table(lines))
}

// table adds the rows that there is room for.
func (m *model) table(lines []string) []string {
	cells := [][]string{header()}
	for _, r := range m.rows {
		cells = append(cells, r.cells())
	}
	widths := terminal.Columns(cells)
	terminal.Fit(widths, m.size.Width-1)
	lines = append(lines, " "+terminal.Bold(plainLine(cells[0], widths)))
	room := max(1, m.size.Height-len(lines)-1)
	m.first = max(0, max(m.cursor-room+1, min(m.first, m.cursor)))
	for i := m.first; i < min(len(m.rows), m.first+room); i++ {
		line := " " + plainLine(cells[i+1], widths)
		if i == m.cursor {
			line = terminal.Reverse(terminal.Pad(line, m.size.Width))
		}
		lines = append(lines, line)
	}
	return lines
}

// detail adds, in the last line of the screen, what the table has no room for
// of the chosen app.
func (m *model) detail(lines []string) []string {
	for len(lines) < m.size.Height-1 {
		lines = append(lines, "")
	}
	r := m.rows[m.cursor]
	return append(lines, terminal.Dim(progress.Printable(strings.TrimRight(fmt.Sprintf(" %s: %s  %s", r.App, r.URL, r.Deploying), " "))))
}

func plainLine(row []string, widths []int) string {
	var b strings.Builder
	for i, cell := range row {
		b.WriteString(terminal.Pad(terminal.Cut(cell, widths[i]), widths[i]+terminal.Gap))
	}
	return strings.TrimRight(b.String(), " ")
}
