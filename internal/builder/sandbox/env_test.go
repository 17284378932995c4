package sandbox

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestEnv: the command has exactly the environment that it was given, whatever bytes are in it.
func TestEnv(t *testing.T) {
	_, run := shellWith(t, []string{"PATH=/usr/bin:/bin", "A=first", "KEY=a\nb=c\tä", "EMPTY=", "A=last"})
	out, err := run(t.Context(), nil, `env -0 | grep -zv '^\(_\|PWD\|SHLVL\|OLDPWD\)=' | sort -z | tr '\0' '|'`)
	if want := "A=last|EMPTY=|KEY=a\nb=c\tä|PATH=/usr/bin:/bin|"; err != nil || out != want {
		t.Errorf("%q, %v; want %q", out, err, want)
	}
}

// TestEnvStaysInside: bubblewrap starts outside of the walls. With the build's environment as its own, LD_PRELOAD,
// which somebody may set as config for builds, would be code that runs on the host.
func TestEnvStaysInside(t *testing.T) {
	_, run := shellWith(t, []string{"PATH=/usr/bin:/bin", "LD_PRELOAD=/app/evil.so", "TOKEN=hunter2"})
	out, err := run(t.Context(), nil, `unset LD_PRELOAD TOKEN; tr '\0' '\n' < /proc/1/environ; echo end`)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	// The shell's own loader is inside, and complains.
	complaints := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.Contains(l, "evil.so") })
	if err != nil || len(complaints) != 1 || lines[len(lines)-1] != "end" || strings.Contains(out, "hunter2") || len(lines) != 2 {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestLatest(t *testing.T) {
	got := latest([]string{"A=1", "B=2", "A=3", "C", "B="})
	if want := []string{"A=3", "C", "B="}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSealedEnv(t *testing.T) {
	f, err := sealEnv([]string{"A=1", "B=2"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil || b.String() != "A=1\x00B=2" {
		t.Errorf("%q, %v", b.String(), err)
	}
	if _, err := os.Stat(f.Name()); err == nil {
		t.Error("it is a file of the disk")
	}
}
