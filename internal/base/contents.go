package base

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

// File is one file, folder or symlink in a base.
type File struct {
	Path   string `json:"path"`             // absolute, in the guest
	Mode   string `json:"mode"`             // as ls prints it
	Size   int64  `json:"size"`             // bytes; of a symlink: its target's length
	Origin string `json:"origin"`           // where the content comes from
	SHA256 string `json:"sha256,omitempty"` // empty for folders

	// Of a file of the host: Debian's package, and its version. Empty: it comes from elsewhere, or dpkg does not know
	// it.
	Package string `json:"package,omitempty"`
	Version string `json:"version,omitempty"`
}

// ingredients is everything that decides what a base is.
type ingredients struct {
	Format  int    `json:"format"`
	Node    string `json:"node"`
	Kernel  string `json:"kernel"`  // which one, its version and what it was made from
	Image   string `json:"image"`   // sha256 of the kernel as it comes
	Packing string `json:"packing"` // options of mkfs.erofs
	Initrd  []File `json:"initrd,omitempty"`
	Root    []File `json:"root"`
}

// Contents says what is in a finished base, and is what its base.json holds.
type Contents struct {
	ingredients
	Images map[string]core.Layer `json:"images"` // file name → what it is
}

// ingredients reads everything that goes into the base.
func (p plan) ingredients() (ingredients, error) {
	in := ingredients{Format: format, Node: p.node.Version, Kernel: p.kernel.name, Packing: image.Dense}
	var errs [3]error
	in.Image, _, errs[0] = entry{host: p.kernel.image}.digest()
	in.Initrd, errs[1] = p.kernel.initrd.list()
	in.Root, errs[2] = p.root.list()
	return in, errors.Join(errs[:]...)
}

// id names the base. It is the same on every host with the same ingredients.
func (in ingredients) id() (string, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	return digestOf(b)[:16], nil
}

// size is that of the root's content, in bytes.
func (in ingredients) size() (n int64) {
	for _, f := range in.Root {
		n += f.Size
	}
	return n
}

// list describes the files of a tree, implied folders included.
func (t tree) list() ([]File, error) {
	all, err := t.complete()
	if err != nil {
		return nil, err
	}
	var hosts []string
	for _, e := range all {
		if strings.HasPrefix(e.origin, fromHost) {
			hosts = append(hosts, e.host)
		}
	}
	packages := debianPackages(hosts)
	files := make([]File, 0, len(all))
	for _, e := range all {
		f := File{Path: "/" + e.path, Mode: e.mode.String(), Origin: e.origin}
		f.Package, f.Version = packages[e.host].name, packages[e.host].version
		if !e.mode.IsDir() {
			if f.SHA256, f.Size, err = e.digest(); err != nil {
				return nil, err
			}
		}
		files = append(files, f)
	}
	return files, nil
}

func (e entry) digest() (hexSum string, size int64, err error) {
	src, _, err := e.open()
	if err != nil {
		return "", 0, err
	}
	defer src.Close()
	h := sha256.New()
	n, err := io.Copy(h, src)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Has reports whether the base id is complete: it appears as a whole, so one of its files stands for all.
func (s *Store) Has(id string) (bool, error) {
	_, err := os.Stat(listFile(s.cfg.State, id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func listFile(state core.StateDir, id string) string {
	return filepath.Join(state.Base(id), "base.json")
}

// Read says what is in the base id. fs.ErrNotExist: there is no such base.
func Read(state core.StateDir, id string) (Contents, error) {
	if !isID(id) {
		return Contents{}, fmt.Errorf("base %q: an id has 16 hexadecimal digits", id)
	}
	data, err := os.ReadFile(listFile(state, id))
	if err != nil {
		return Contents{}, fmt.Errorf("base %s: %w", id, err)
	}
	var c Contents
	if err := json.Unmarshal(data, &c); err != nil {
		return Contents{}, fmt.Errorf("base %s: %w", id, err)
	}
	return c, nil
}

// Libraries are the shared libraries of the base: their paths in it, by their names.
func (c Contents) Libraries() map[string]string {
	all := map[string]string{}
	for _, f := range c.Root {
		if name := filepath.Base(f.Path); strings.Contains(name, ".so.") && strings.HasPrefix(f.Mode, "-") {
			all[name] = f.Path
		}
	}
	return all
}

// List lists the ids of the finished bases, the newest first.
func List(state core.StateDir) ([]string, error) {
	lists, err := filepath.Glob(listFile(state, "*"))
	if err != nil {
		return nil, err
	}
	made := map[string]time.Time{}
	for _, l := range lists {
		id := filepath.Base(filepath.Dir(l))
		if info, err := os.Stat(l); err == nil && isID(id) {
			made[id] = info.ModTime()
		}
	}
	return slices.SortedFunc(maps.Keys(made), func(a, b string) int { return made[b].Compare(made[a]) }), nil
}

func isID(id string) bool {
	return len(id) == 16 && strings.Trim(id, "0123456789abcdef") == ""
}
