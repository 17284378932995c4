package volume

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/core"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	state := core.StateDir(t.TempDir())
	if err := state.Create(); err != nil {
		t.Fatal(err)
	}
	return Open(state)
}

func vol(id string) core.Volume {
	return core.Volume{ID: id, App: "shop", Name: "data", Mount: "/data", Size: core.MinVolume}
}

func (s *Store) names(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(s.state.Volumes())
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(name), args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func nothing() error { return nil }

// TestCreate: the file is sparse and sound, only its owner can open it, and its file system belongs to the app in the
// guest. The volume is recorded when its file is in place.
func TestCreate(t *testing.T) {
	s := newStore(t)
	v := vol("shop-data-1")
	path := s.state.Volume(v.ID)
	err := s.Create(t.Context(), v, func() error {
		_, err := os.Stat(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.names(t); !slices.Equal(got, []string{"shop-data-1.ext4"}) {
		t.Errorf("files %q", got)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() != v.Size || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if used, err := s.Used(v); err != nil || used == 0 || used > 2<<20 {
		t.Errorf("an empty volume takes %d bytes, %v", used, err)
	}
	run(t, "e2fsck", "-fn", path)
	if root := run(t, "debugfs", "-R", "stat <2>", path); !strings.Contains(root, "User:  1000   Group:  1000") {
		t.Errorf("the root of the file system:\n%s", root)
	}
}

// TestCreateFails: whatever fails, no file is left, and a later creation succeeds.
func TestCreateFails(t *testing.T) {
	s := newStore(t)
	broken := errors.New("the ledger cannot be written")
	if err := s.Create(t.Context(), vol("a"), func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	huge := vol("a")
	huge.Size = 1 << 50
	var rejected *core.Rejection
	if err := s.Create(t.Context(), huge, nothing); !errors.As(err, &rejected) || !strings.Contains(err.Error(), "no room for a volume of 1024 TiB") {
		t.Errorf("error %v", err)
	}
	for _, id := range []string{"", "../x", "a/b", "a.b", "A"} {
		if err := s.Create(t.Context(), vol(id), nothing); err == nil {
			t.Errorf("id %q was taken", id)
		}
	}
	if got := s.names(t); len(got) != 0 {
		t.Errorf("left over: %q", got)
	}
	if err := s.Create(t.Context(), vol("a"), nothing); err != nil {
		t.Error(err)
	}
	if err := s.Create(t.Context(), vol("a"), nothing); err == nil {
		t.Error("a volume was made over another")
	}
	if got := s.names(t); !slices.Equal(got, []string{"a.ext4"}) {
		t.Errorf("files %q", got)
	}
}

func TestRemove(t *testing.T) {
	s := newStore(t)
	v := vol("a")
	if err := s.Create(t.Context(), v, nothing); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the ledger cannot be written")
	if err := s.Remove(v, func() error { return broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if got := s.names(t); !slices.Equal(got, []string{"a.ext4"}) {
		t.Errorf("after a failure: %q", got)
	}
	if err := s.Remove(v, nothing); err != nil {
		t.Error(err)
	}
	forgotten := false
	if err := s.Remove(v, func() error { forgotten = true; return nil }); err != nil || !forgotten {
		t.Errorf("a volume whose file is lost: %v, forgotten %v", err, forgotten)
	}
	if got := s.names(t); len(got) != 0 {
		t.Errorf("left over: %q", got)
	}
}

// TestRecover stops a change at each of its steps, as the end of gitd does, and lets the next start complete or undo
// it. known says whether the ledger has the volume at that moment.
func TestRecover(t *testing.T) {
	stop := errors.New("gitd ended")
	tests := []struct {
		name    string
		begin   func(t *testing.T, s *Store, v core.Volume)
		known   bool
		want    []string
		strays  int
		missing int
	}{
		{"creation, before its file is in place", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID)+markNew)
		}, false, []string{}, 0, 0},
		{"creation, before the ledger", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID)+markNew)
			link(t, s.state.Volume(v.ID)+markNew, s.state.Volume(v.ID))
		}, false, []string{}, 0, 0},
		{"creation, after the ledger", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID)+markNew)
			link(t, s.state.Volume(v.ID)+markNew, s.state.Volume(v.ID))
		}, true, []string{"a.ext4"}, 0, 0},
		{"removal, before the ledger", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID)+markRemoved)
		}, true, []string{"a.ext4"}, 0, 0},
		{"removal, after the ledger", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID)+markRemoved)
		}, false, []string{}, 0, 0},
		{"removal, with its label", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID)+markRemoved)
			write(t, core.LabelFiles(s.state).Volume(v.ID))
		}, false, []string{}, 0, 0},
		{"a label, half written beside the one before", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID))
			write(t, core.LabelFiles(s.state).Volume(v.ID))
			write(t, s.state.Volumes()+"/."+v.ID+".json123")
		}, true, []string{"a.ext4", "a.json"}, 0, 0},
		{"a mark beside another file", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID))
			write(t, s.state.Volume(v.ID)+markNew)
		}, false, []string{"a.ext4"}, 1, 0},
		{"a file of which the ledger knows nothing", func(t *testing.T, s *Store, v core.Volume) {
			write(t, s.state.Volume(v.ID))
		}, false, []string{"a.ext4"}, 1, 0},
		{"a volume whose file is lost", func(*testing.T, *Store, core.Volume) {}, true, []string{}, 0, 1},
		{"nothing begun", func(t *testing.T, s *Store, v core.Volume) {
			if err := s.Create(t.Context(), v, nothing); err != nil {
				t.Fatal(err)
			}
			if err := s.Remove(v, func() error { return stop }); !errors.Is(err, stop) {
				t.Fatal(err)
			}
		}, true, []string{"a.ext4"}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, v := newStore(t), vol("a")
			tt.begin(t, s, v)
			var known []core.Volume
			if tt.known {
				known = append(known, v)
			}
			for range 2 { // the second call finds nothing to do
				strays, missing, err := s.Recover(known)
				if err != nil || len(strays) != tt.strays || len(missing) != tt.missing {
					t.Errorf("strays %q, missing %v, %v", strays, missing, err)
				}
				if got := s.names(t); !slices.Equal(got, tt.want) {
					t.Errorf("files %q, want %q", got, tt.want)
				}
			}
		})
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Link(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestFullDisk: the same room is not given twice, even to volumes that are made at the same time. On a disk that is
// full all the same, making a file system fails.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounts a small file system: run as root")
	}
	s := newStore(t)
	mount := func(size string) {
		t.Helper()
		if err := unix.Mount("tmpfs", s.state.Volumes(), "tmpfs", 0, "size="+size); err != nil {
			t.Fatal(err)
		}
	}
	unmount := func() {
		if err := unix.Unmount(s.state.Volumes(), 0); err != nil {
			t.Error(err)
		}
	}
	// Three volumes of 64 MiB fit beside what is kept free, whoever is first.
	mount(fmt.Sprint(int64(keepFree) + 3*core.MinVolume + core.MinVolume/2))
	var made, refused []string
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			id := fmt.Sprint("v", i)
			err := s.Create(t.Context(), vol(id), nothing)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				made = append(made, id)
				return
			}
			refused = append(refused, err.Error())
		})
	}
	all.Wait()
	if len(made) != 3 || !strings.Contains(refused[0], "promised to other volumes") {
		t.Errorf("made %q, refused %q", made, refused)
	}
	unmount()

	mount("64K") // mkfs itself finds no room
	if err := makeFile(t.Context(), filepath.Join(s.state.Volumes(), "x"), core.MinVolume); err == nil {
		t.Error("a file system was made without room for it")
	}
	unmount()
}
