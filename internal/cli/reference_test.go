package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
)

// TestReference: docs/commands.md names every command as it is typed, and
// says of it what `help` says.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	root := &cobra.Command{Use: "gitd"}
	AddCommands(root, command.Services{}, command.Caller{})
	lines := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		lines[strings.TrimSpace(line)] = true
	}
	for _, cmd := range root.Commands() {
		line := fmt.Sprintf("| `%s` | %s |", strings.ReplaceAll(strings.TrimPrefix(cmd.UseLine(), "gitd "), "|", `\|`), strings.ReplaceAll(cmd.Short, "|", `\|`))
		line = strings.ReplaceAll(line, " [flags]", "")
		if !lines[line] {
			t.Errorf("docs/commands.md lacks the line\n%s", line)
		}
		delete(lines, line)
	}
	for line := range lines {
		if strings.HasPrefix(line, "| `") && strings.Contains(line, "` |") && !strings.HasPrefix(line, "| `help") {
			t.Errorf("docs/commands.md has a line for what is no command:\n%s", line)
		}
	}
}
