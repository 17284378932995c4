package system

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/builder/native"
	"github.com/nodeos-dev/gitd/internal/core"
)

// The libc of a machine is the host's. What was compiled for a newer one says so only when it is loaded.
func TestLacks(t *testing.T) {
	has := libraries{"libc.so.6": {"GLIBC_2.2.5", "GLIBC_2.36"}, "libz.so.1": nil}
	for name, c := range map[string]struct {
		want native.Want
		lack string
	}{
		"all is there": {native.Want{Needs: []string{"libc.so.6", "libz.so.1"}, Versions: []string{"libc.so.6 GLIBC_2.36", "libz.so.1 ZLIB_9"}}, ""},
		"a library":    {native.Want{Needs: []string{"libc.so.6", "libcairo.so.2"}}, "a.node needs libcairo.so.2"},
		"a version":    {native.Want{Needs: []string{"libc.so.6"}, Versions: []string{"libc.so.6 GLIBC_2.38"}}, "a.node needs GLIBC_2.38 of libc.so.6"},
		"both":         {native.Want{Needs: []string{"x.so\x1b[2J"}, Versions: []string{"libc.so.6 GLIBC_2.38"}}, "a.node needs x.so"},
	} {
		c.want.File = "a.node"
		l := has.lacks(c.want)
		if got := l.String(); len(l.libraries)+len(l.versions) > 0 && (c.lack == "" || !strings.HasPrefix(got, c.lack) || strings.Contains(got, "\x1b")) ||
			len(l.libraries)+len(l.versions) == 0 && c.lack != "" {
			t.Errorf("%s: %q, want %q", name, got, c.lack)
		}
	}
}

func TestSettingWith(t *testing.T) {
	s := &System{Asked: []string{"libcairo2", "zlib1g"}}
	if got, want := s.settingWith([]string{"libgif7", "zlib1g"}), `"nodeos": {"packages": ["libcairo2", "libgif7", "zlib1g"]}`; got != want {
		t.Errorf("%s", got)
	}
}

// The names of a library's packages are proposed even where there is no archive to ask.
func TestPackagesOf(t *testing.T) {
	libraries := []string{"libz.so.1", "libcairo.so.2", "nothing"}
	if got := packagesOf(libraries, nil); !slices.Equal(got, []string{"libcairo2", "zlib1g"}) {
		t.Errorf("%q", got)
	}
	if got := packagesOf(libraries, map[string]bool{"zlib1g": true}); !slices.Equal(got, []string{"zlib1g"}) {
		t.Errorf("%q", got)
	}
}

// A package that is there already is no advice: the push would be refused for ever.
func TestMissing(t *testing.T) {
	s := &System{has: additions{Packages: []core.Package{{Name: "libblas3"}}}}
	if got := s.missing([]string{"libblas.so.3", "libz.so.1"}, nil); !slices.Equal(got, []string{"zlib1g"}) {
		t.Errorf("%q", got)
	}
}

// A commit gets what it got before, as long as the layer is there. Records of old commits go.
func TestKeptAdditions(t *testing.T) {
	state := core.StateDir(t.TempDir())
	s := &System{State: state, Kept: filepath.Join(t.TempDir(), "packages")}
	check(t, os.MkdirAll(state.Layers(), 0o755))
	a := additions{Layer: core.Layer{Digest: "aa", Size: 3}, Packages: []core.Package{{Name: "zlib1g", Version: "1"}}, Libraries: []string{"libz.so.1"}}
	check(t, s.keep("first", a))
	first, ok := s.read("first")
	if !ok || first.Packages[0] != a.Packages[0] || first.Libraries[0] != "libz.so.1" {
		t.Errorf("%+v, %t", first, ok)
	}
	if s.ready(first) {
		t.Error("a layer that is not there is taken")
	}
	check(t, os.WriteFile(state.Layer("aa"), []byte("abc"), 0o644))
	if !s.ready(first) {
		t.Error("a layer that is there is not taken")
	}
	if s.Fresh = true; s.ready(first) {
		t.Error("a fresh build takes what was kept")
	}
	old := time.Now().Add(-time.Hour)
	check(t, os.Chtimes(s.path("first"), old, old))
	for i := range kept {
		check(t, s.keep(key("commit", string(rune('a'+i))), a))
	}
	if _, err := os.Stat(s.path("first")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v: the record of the first commit is still there", err)
	}
	if all, err := filepath.Glob(filepath.Join(s.Kept, "*")); err != nil || len(all) != kept {
		t.Errorf("%d records, %v", len(all), err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
