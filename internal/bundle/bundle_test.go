package bundle

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// TestConformance runs many apps twice, with a bundle and without one, and compares all that they print and how they
// end. docs/decisions/0167-bundle.md says what is not compared, such as where in a file of the bundle an error was
// thrown.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Node fifty times")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed: scripts/setup test does that")
	}
	archive, err := txtar.ParseFile(filepath.Join("testdata", "apps.txtar"))
	check(t, err)
	root := t.TempDir()
	runs := map[string][]string{}
	for _, f := range archive.Files {
		name := f.Name
		if app, file, _ := strings.Cut(name, "/"); file == "run" {
			runs[app] = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
			continue
		}
		if pkg, ok := strings.CutPrefix(name, "+"); ok {
			name = "packages/node_modules/" + pkg
		}
		write(t, filepath.Join(root, name), f.Data)
	}
	packages := filepath.Join(root, "packages")
	bundled(t, node, packages)
	// It is used: an error names its file.
	if said := raw(t, node, filepath.Join(root, "error"), packages, true, runs["error"]); !strings.Contains(said, "/.nodeos/packages-") {
		t.Errorf("the bundle is not used:\n%s", said)
	}
	write(t, filepath.Join(root, "error/main.js"), find(archive, "error/main.js"))
	for app, run := range runs {
		t.Run(app, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(root, app)
			without := start(t, node, dir, packages, false, run)
			if with := start(t, node, dir, packages, true, run); with != without {
				t.Errorf("without:\n%s\nwith:\n%s", without, with)
			}
		})
	}
}

// bundled makes a bundle as a build does.
func bundled(t *testing.T, node, dir string) {
	t.Helper()
	var said []byte
	made, err := Make(dir, "", func(args []string) (err error) {
		cmd := exec.CommandContext(t.Context(), node, args[1:]...)
		cmd.Dir = dir
		said, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if want := "14 files of 9 packages, "; !strings.HasPrefix(made, want) || !strings.HasSuffix(made, " KiB") {
		t.Errorf("in the bundle: %q, want %q", made, want)
	}
	if want := "not bundled, because they do not load in the build: broken, talks\n"; string(said) != want {
		t.Errorf("it says %q, want %q", said, want)
	}
}

// leadIn has one file load the bundle, in an app that is not at /app.
func leadIn(t *testing.T, dir, name string) {
	t.Helper()
	step := core.StartStep{Words: []core.Word{core.Plain(guest.Node), core.Plain(name)}}
	led, not, err := Lead(dir, core.Manifest{Run: []core.StartStep{step}})
	if err != nil || len(led) != 1 || len(not) > 0 {
		t.Fatalf("%q %q %v", led, not, err)
	}
	file := filepath.Join(dir, name)
	text, err := os.ReadFile(file)
	check(t, err)
	write(t, file, bytes.ReplaceAll(text, []byte(guest.AppDir+"/"), []byte(dir+"/")))
}

var (
	pids   = regexp.MustCompile(`\(node:\d+\)`)
	places = regexp.MustCompile(`(at .*)\(?/\S*/node_modules/\S+:\d+:\d+\)?`)
	inNode = regexp.MustCompile(`(?m)^    at .*\n|^[^\n]*/node_modules/\S+:\d+\n`)
)

func find(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// start runs an app to its end. Frames of stacks are left out: in a package they name the file of the bundle.
func start(t *testing.T, node, dir, packages string, bundle bool, run []string) string {
	t.Helper()
	said := places.ReplaceAllString(pids.ReplaceAllString(raw(t, node, dir, packages, bundle, run), "(node:PID)"), "$1")
	return inNode.ReplaceAllString(said, "")
}

func raw(t *testing.T, node, dir, packages string, bundle bool, run []string) string {
	t.Helper()
	check(t, os.RemoveAll(filepath.Join(dir, "node_modules")))
	check(t, os.CopyFS(filepath.Join(dir, "node_modules"), os.DirFS(filepath.Join(packages, "node_modules"))))
	if bundle {
		leadIn(t, dir, run[0])
	} else {
		check(t, os.RemoveAll(filepath.Join(dir, "node_modules/.nodeos")))
	}
	cmd := exec.CommandContext(t.Context(), node, run[0])
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=/usr/bin", "HOME=" + dir}, run[1:]...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	end := "it ended well"
	if err := cmd.Run(); err != nil {
		end = err.Error()
	}
	return end + "\n-- stdout --\n" + out.String() + "-- stderr --\n" + stderr.String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
		t.Fatal(err)
	}
}
