package main

import (
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionOf(t *testing.T) {
	const commit = "0123456789abcdef0123456789abcdef01234567"
	revision := debug.BuildSetting{Key: "vcs.revision", Value: commit}
	changed := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	clean := debug.BuildSetting{Key: "vcs.modified", Value: "false"}
	for name, c := range map[string]struct {
		linked, module string
		settings       []debug.BuildSetting
		want           string
	}{
		"linker":      {"v1.2.3-4-g0123456", "v1.2.3", []debug.BuildSetting{revision}, "v1.2.3-4-g0123456"},
		"go install":  {"", "v1.2.3", nil, "v1.2.3"},
		"commit":      {"", "(devel)", []debug.BuildSetting{revision, clean}, "0123456789ab"},
		"changed":     {"", "", []debug.BuildSetting{changed, revision}, "0123456789ab-dirty"},
		"nothing":     {"", "(devel)", nil, "unknown"},
		"only change": {"", "", []debug.BuildSetting{changed}, "unknown"},
	} {
		info := &debug.BuildInfo{Main: debug.Module{Version: c.module}, Settings: c.settings}
		if got := versionOf(c.linked, info); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestVersionOfTheProgram: the linker's variable has the name that the Makefile gives it, and `gitd version` prints it.
func TestVersionOfTheProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("links gitd once more")
	}
	line, err := exec.Command("make", "--no-print-directory", "-n", "-C", "../..", "build", "VERSION=v9.8.7-test").Output()
	if err != nil {
		t.Fatal(err)
	}
	const flags = "-X main.linkedVersion=v9.8.7-test"
	if !strings.Contains(string(line), "'"+flags+"'") {
		t.Fatalf("make build does not pass %q:\n%s", flags, line)
	}
	gitd := filepath.Join(t.TempDir(), "gitd")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", flags, "-o", gitd, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(gitd, "version").Output()
	if err != nil || string(out) != "gitd v9.8.7-test\n" {
		t.Errorf("%q, %v", out, err)
	}
}
