package builder

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

// TestVerify: whatever happens to a file of an image on the disk, Verify
// finds it, removes the file, and says what to do.
func TestVerify(t *testing.T) {
	damages := map[string]func(path string) error{
		"one flipped bit": func(path string) error {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(path, data, 0o644)
		},
		"cut short": func(path string) error { return os.Truncate(path, 3) },
		"emptied":   func(path string) error { return os.Truncate(path, 0) },
		"longer":    func(path string) error { return os.Truncate(path, 1<<20) },
		"gone":      os.Remove,
	}
	files := map[string]func(s core.StateDir, m core.Manifest) string{
		"app":       func(s core.StateDir, m core.Manifest) string { return s.Layer(m.App.Digest) },
		"deps":      func(s core.StateDir, m core.Manifest) string { return s.Layer(m.Deps.Digest) },
		"root":      func(s core.StateDir, m core.Manifest) string { return s.Root(m.Base) },
		"kernel":    func(s core.StateDir, m core.Manifest) string { return s.Kernel(m.Base) },
		"base.json": func(s core.StateDir, m core.Manifest) string { return filepath.Join(s.Base(m.Base), "base.json") },
	}
	for file, path := range files {
		for how, damage := range damages {
			t.Run(file+" "+how, func(t *testing.T) {
				b, m := storedImage(t)
				check(t, b.Verify(t.Context(), m))
				check(t, damage(path(b.cfg.State, m)))
				err := b.Verify(t.Context(), m)
				var rej *core.Rejection
				if !errors.As(err, &rej) || !strings.Contains(rej.Reason, "damaged") || !strings.Contains(rej.Hint, "push again") {
					t.Errorf("Verify: %v", err)
				}
				if err := image.Check(b.cfg.State, m); err == nil {
					t.Error("the image counts as kept")
				}
				if left := trash(t, b.cfg.State); len(left) > 0 {
					t.Errorf("left: %v", left)
				}
			})
		}
	}
}

// storedImage is an image whose files are a few bytes each.
func storedImage(t *testing.T) (*Builder, core.Manifest) {
	t.Helper()
	b := newTestBuilder(t)
	m := core.Manifest{Base: strings.Repeat("a", 16)}
	for name, to := range map[string]*core.Layer{"the app": &m.App, "node_modules": &m.Deps} {
		path := write(t, filepath.Join(b.cfg.State.Builds(), "x"), name)
		var err error
		*to, err = image.Seal(path)
		check(t, err)
		check(t, os.Rename(path, b.cfg.State.Layer(to.Digest)))
	}
	list := base.Contents{Images: map[string]core.Layer{}}
	for _, name := range []string{"kernel", "initrd", "root.erofs"} {
		var err error
		list.Images[name], err = image.Seal(write(t, filepath.Join(b.cfg.State.Base(m.Base), name), "this is the "+name))
		check(t, err)
	}
	text, err := json.Marshal(list)
	check(t, err)
	write(t, filepath.Join(b.cfg.State.Base(m.Base), "base.json"), string(text))
	return b, m
}
