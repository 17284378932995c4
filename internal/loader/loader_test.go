package loader

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/nodeos-dev/gitd/internal/guest"
)

var pids = regexp.MustCompile(`\(node:\d+\)`)

// waited is how long a Node waits in these tests, at least: longer than the timers of the apps.
const waited = 300 * time.Millisecond

// TestConformance runs many apps twice, by a Node that was started for them and by one that waited, and compares all
// that they print and how they end. docs/decisions/0160-spare-machines.md says what is not compared.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Node a hundred times")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed: scripts/setup test does that")
	}
	root := t.TempDir()
	loader := write(t, root, "loader.js", Source())
	archive, err := txtar.ParseFile(filepath.Join("testdata", "apps.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]string{}
	for _, f := range archive.Files {
		app, name, _ := strings.Cut(f.Name, "/")
		if name == "run" {
			runs[app] = string(f.Data)
			continue
		}
		write(t, root, filepath.Join("apps", f.Name), string(f.Data))
	}
	for app, run := range runs {
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			p := program{node: node, loader: loader, dir: filepath.Join(root, "apps", app)}
			p.read(run)
			if err := os.MkdirAll(p.dir, 0o755); err != nil {
				t.Fatal(err)
			}
			cold := p.cold(t)
			if spare := p.spare(t); spare != cold {
				t.Errorf("started for it:\n%s\nafter a wait:\n%s", cold, spare)
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// program is one app.
type program struct {
	node, loader, dir string
	args, env         []string
}

// read reads a file `run`.
func (p *program) read(run string) {
	lines := strings.Split(strings.TrimSpace(run), "\n")
	p.args = append([]string{p.node}, strings.Fields(lines[0])...)
	p.env = append([]string{"PATH=/usr/bin", "HOME=/app", "NODE_ENV=production", "PORT=8080", "EMPTY=", "A=b=c\nd"}, lines[1:]...)
}

func (p *program) cold(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(limited(t), p.node, p.args[1:]...)
	cmd.Dir, cmd.Env = p.dir, p.env
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	return told(cmd.Run(), out.String(), stderr.String())
}

func (p *program) spare(t *testing.T) string {
	t.Helper()
	cmd := exec.CommandContext(limited(t), p.node, "loader")
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin", "NODE_OPTIONS=--require " + p.loader, guest.LoaderVariable + "=1"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	from := bufio.NewReader(out)
	if line, err := from.ReadString('\n'); line != "ready\n" {
		t.Fatalf("it says %q, %v: %s", line, err, stderr.String())
	}
	time.Sleep(waited) // the clocks of Node must go on while it waits
	order, err := json.Marshal(guest.Order{Args: p.args, Env: p.env, Dir: p.dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(append(order, '\n')); err != nil {
		t.Fatal(err)
	}
	in.Close()
	said, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return told(cmd.Wait(), string(said), stderr.String())
}

func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// told is all that is compared. The number of a process is that of no other.
func told(err error, out, stderr string) string {
	end := "it ended well"
	if err != nil {
		end = err.Error()
	}
	return fmt.Sprintf("%s\n-- stdout --\n%s-- stderr --\n%s", end, pids.ReplaceAllString(out, "(node:PID)"), pids.ReplaceAllString(stderr, "(node:PID)"))
}
