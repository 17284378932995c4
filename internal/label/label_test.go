package label

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestOldLabels: the labels that the first gitd with labels has written are read by every later one. A field that gets
// another name needs both.
func TestOldLabels(t *testing.T) {
	l, err := ParseApp("shop", fixture(t, "app.json"))
	if err != nil {
		t.Fatal(err)
	}
	since := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	switch r := l.Releases[0]; {
	case !l.App.Stopped || l.App.Branch != "main" || l.App.Lock != (core.Lock{By: "ada", Reason: "the fair", Since: since}):
		t.Errorf("app: %+v", l.App)
	case l.App.Created.UnixNano()%1e9 != 123456789:
		t.Errorf("created %v", l.App.Created)
	case l.Resources != core.Resources{MemoryMiB: 256, CPUs: 2} || !slices.Equal(l.Domains, []string{"www.example.org"}):
		t.Errorf("settings: %+v, %q", l.Resources, l.Domains)
	case l.Live() != 3 || l.Newest() != 3 || !l.Releases[1].Pinned || l.Releases[1].Trigger != core.ByTag:
		t.Errorf("releases: %+v", l.Releases)
	case r.Manifest.App.Size != 4096 || r.Manifest.Start[1] != "server.js" || r.Manifest.Resources.MemoryMiB != 64:
		t.Errorf("manifest: %+v", r.Manifest)
	case r.Key != "SHA256:x" || r.Subject != "third" || len(r.Steps) != 1 || r.Finished.IsZero():
		t.Errorf("release: %+v", r)
	case l.Machines[0].Addr != "127.0.0.1:4000" || l.Machines[0].Release != 3:
		t.Errorf("machine: %+v", l.Machines[0])
	}
	v, err := ParseVolume("shop-data-0a1b2c3d4e5f", fixture(t, "volume.json"))
	if err != nil || v.App != "shop" || v.Mount != "/data" || v.Size != 100<<20 {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestBadLabels: what a damaged or foreign label names never becomes a path, a row or a machine.
func TestBadLabels(t *testing.T) {
	for name, damage := range map[string]func(l *core.AppLabel){
		"another app":         func(l *core.AppLabel) { l.App.Name = "blog" },
		"at no time":          func(l *core.AppLabel) { l.App.Created = time.Time{} },
		"another's release":   func(l *core.AppLabel) { l.Releases[0].App = "blog" },
		"version 0":           func(l *core.AppLabel) { l.Releases[1].Version = 0 },
		"twice":               func(l *core.AppLabel) { l.Releases[1].Version = 3 },
		"two live":            func(l *core.AppLabel) { l.Releases[1].State = core.Live },
		"building":            func(l *core.AppLabel) { l.Releases[1].State = core.Building },
		"no commit":           func(l *core.AppLabel) { l.Releases[0].Commit = "HEAD" },
		"a base elsewhere":    func(l *core.AppLabel) { l.Releases[0].Manifest.Base = "../../etc" },
		"a layer elsewhere":   func(l *core.AppLabel) { l.Releases[0].Manifest.App.Digest = "../x" },
		"deps elsewhere":      func(l *core.AppLabel) { l.Releases[0].Manifest.Deps.Digest = "/etc/passwd" },
		"another's machine":   func(l *core.AppLabel) { l.Machines[0].App = "blog" },
		"a machine elsewhere": func(l *core.AppLabel) { l.Machines[0].ID = "../x" },
		"a release of no one": func(l *core.AppLabel) { l.Releases[0].Trigger = "" },
	} {
		t.Run(name, func(t *testing.T) {
			l, err := ParseApp("shop", fixture(t, "app.json"))
			if err != nil {
				t.Fatal(err)
			}
			damage(&l)
			if err := l.Check("shop"); err == nil {
				t.Error("it is good")
			}
		})
	}
	for _, text := range []string{"", "{}", "null", "[]", `{"ID":"a/../b"}`, strings.Repeat("[", 1000)} {
		if _, err := ParseApp("shop", []byte(text)); err == nil {
			t.Errorf("%.20q is a label of an app", text)
		}
		if _, err := ParseVolume("a", []byte(text)); err == nil {
			t.Errorf("%.20q is a label of a volume", text)
		}
	}
}

// TestRead: a repository and a volume without a good label are not lost, and nothing is guessed about them.
func TestRead(t *testing.T) {
	state := core.StateDir(t.TempDir())
	if err := state.Create(); err != nil {
		t.Fatal(err)
	}
	files := core.LabelFiles(state)
	for path, text := range map[string]string{
		files.App("shop"):                         string(fixture(t, "app.json")),
		state.Repo("old") + "/HEAD":               "ref: refs/heads/master\n",
		state.Repo("old") + "/refs/heads/master":  "x",
		files.App("damaged"):                      "{",
		state.Repo("damaged") + "/HEAD":           "ref: refs/heads/main\n",
		state.Repo("damaged") + "/packed-refs":    "x",
		state.Repo("unpushed") + "/HEAD":          "ref: refs/heads/main\n",
		state.Repo("NotAName") + "/HEAD":          "ref: refs/heads/main\n",
		state.Repo("NotAName") + "/packed-refs":   "x",
		files.Volume("shop-data-0a1b2c3d4e5f"):    string(fixture(t, "volume.json")),
		state.Volume("shop-data-0a1b2c3d4e5f"):    "data",
		state.Volume("shop-data-1111"):            "data",
		state.Volume("shop-gone-22") + ".removed": "data",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Read(state)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, l := range f.Apps {
		got[l.App.Name] = l.App.Branch
	}
	if want := map[string]string{"shop": "main", "old": "master", "damaged": "main"}; !reflect.DeepEqual(got, want) {
		t.Errorf("apps %v, want %v", got, want)
	}
	if len(f.Volumes) != 1 || !slices.Equal(f.Loose, []string{state.Volume("shop-data-1111")}) || len(f.Bare) != 2 {
		t.Errorf("volumes %v, loose %q, bare %q", f.Volumes, f.Loose, f.Bare)
	}
	h, err := Look(state)
	if err != nil || h != (Holdings{Repos: 3, Volumes: 2}) || h.String() != "3 repositories, 2 volumes" {
		t.Errorf("%v, %v", h, err)
	}
}

// FuzzLabel: whatever stands in a label, what is taken from it can be written as a label again, and names nothing
// outside of the state folder.
func FuzzLabel(f *testing.F) {
	f.Add(fixture(f, "app.json"))
	f.Add(fixture(f, "volume.json"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if l, err := ParseApp("shop", text); err == nil {
			again, err := json.Marshal(l)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseApp("shop", again); err != nil {
				t.Errorf("%s: %v", again, err)
			}
			for _, r := range l.Releases {
				for _, name := range r.Manifest.Files() {
					if strings.ContainsAny(name, "/.") {
						t.Errorf("it names %q", name)
					}
				}
			}
		}
		if v, err := ParseVolume("shop-data-0a1b2c3d4e5f", text); err == nil && v.ID != "shop-data-0a1b2c3d4e5f" {
			t.Errorf("%+v", v)
		}
	})
}
