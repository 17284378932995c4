package builder

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

	"gitd/internal/core"
)

// BaseFile is one file, folder or symlink in a base.
type BaseFile struct {
	Path   string `json:"path"`             // absolute, in the guest
	Mode   string `json:"mode"`             // as ls prints it
	Size   int64  `json:"size"`             // bytes; of a symlink: its target's length
	Origin string `json:"origin"`           // where the content comes from
	SHA256 string `json:"sha256,omitempty"` // empty for folders
}

// ingredients is everything that decides what a base is.
type ingredients struct {
	Format  int        `json:"format"`
	Node    string     `json:"node"`
	Kernel  string     `json:"kernel"`  // which one, its version and what it was made from
	Image   string     `json:"image"`   // sha256 of the kernel as it comes
	Packing string     `json:"packing"` // options of mkfs.erofs
	Initrd  []BaseFile `json:"initrd,omitempty"`
	Root    []BaseFile `json:"root"`
}

// Base is a finished base: the content of its base.json.
type Base struct {
	ingredients
	Images map[string]core.Layer `json:"images"` // file name → what it is
}

// ingredients reads everything that goes into the base.
func (p basePlan) ingredients() (ingredients, error) {
	in := ingredients{Format: baseFormat, Node: p.node.Node, Kernel: p.kernel.name, Packing: dense}
	var errs [3]error
	in.Image, _, errs[0] = entry{host: p.kernel.image}.digest()
	in.Initrd, errs[1] = p.kernel.initrd.list()
	in.Root, errs[2] = p.root.list()
	return in, errors.Join(errs[:]...)
}

// id names the base: the same on every host with the same ingredients.
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

// list describes a tree with its implied folders.
func (t tree) list() ([]BaseFile, error) {
	all, err := t.complete()
	if err != nil {
		return nil, err
	}
	files := make([]BaseFile, 0, len(all))
	for _, e := range all {
		f := BaseFile{Path: "/" + e.path, Mode: e.mode.String(), Origin: e.origin}
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

// haveBase reports whether the base is complete: it appears as a whole, so
// one of its files stands for all.
func (b *Builder) haveBase(id string) (bool, error) {
	_, err := os.Stat(baseList(b.cfg.State, id))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func baseList(state core.StateDir, id string) string {
	return filepath.Join(state.Base(id), "base.json")
}

// ReadBase says what is in the base id. fs.ErrNotExist: there is no such base.
func ReadBase(state core.StateDir, id string) (Base, error) {
	if !isBaseID(id) {
		return Base{}, fmt.Errorf("base %q: an id has 16 hexadecimal digits", id)
	}
	data, err := os.ReadFile(baseList(state, id))
	if err != nil {
		return Base{}, fmt.Errorf("base %s: %w", id, err)
	}
	var base Base
	if err := json.Unmarshal(data, &base); err != nil {
		return Base{}, fmt.Errorf("base %s: %w", id, err)
	}
	return base, nil
}

// Bases lists the ids of the finished bases, the newest first.
func Bases(state core.StateDir) ([]string, error) {
	lists, err := filepath.Glob(baseList(state, "*"))
	if err != nil {
		return nil, err
	}
	made := map[string]time.Time{}
	for _, l := range lists {
		id := filepath.Base(filepath.Dir(l))
		if info, err := os.Stat(l); err == nil && isBaseID(id) {
			made[id] = info.ModTime()
		}
	}
	return slices.SortedFunc(maps.Keys(made), func(a, b string) int { return made[b].Compare(made[a]) }), nil
}

func isBaseID(id string) bool {
	return len(id) == 16 && strings.Trim(id, "0123456789abcdef") == ""
}
