package base

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// sharedObjects returns what the dynamic loader needs to start exe: the
// loader itself and every library that exe names, directly or through another
// library. extra names libraries that are taken along where the host has
// them. Each path is the one under which the host's loader finds the file, and
// must be the same in the guest. The result is sorted.
func sharedObjects(exe string, extra []string) ([]string, error) {
	f, err := elf.Open(exe)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", exe, err)
	}
	defer f.Close()
	w := loaderWalk{machine: f.Machine, class: f.Class, found: map[string]string{}}
	if loader := interpreter(f); loader != "" {
		w.found[path.Base(loader)] = loader
	}
	if err := w.needs(exe, f); err != nil {
		return nil, err
	}
	for _, name := range extra {
		if err := w.add(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return w.paths(), nil
}

// loaderWalk follows DT_NEEDED in the loader's own default folders.
// /etc/ld.so.conf and RPATH are left out: the guest has no ld.so.cache, and
// Node's official build asks for neither.
type loaderWalk struct {
	machine elf.Machine
	class   elf.Class
	found   map[string]string // name → path
}

func (w *loaderWalk) needs(from string, f *elf.File) error {
	names, err := f.ImportedLibraries()
	if err != nil {
		return fmt.Errorf("read the libraries of %s: %w", from, err)
	}
	for _, name := range names {
		if err := w.add(name); err != nil {
			return fmt.Errorf("%s needs %w", from, err)
		}
	}
	return nil
}

func (w *loaderWalk) add(name string) error {
	if _, ok := w.found[name]; ok {
		return nil
	}
	if name != filepath.Base(name) {
		return fmt.Errorf("library %q: not a plain name", name)
	}
	for _, dir := range w.dirs() {
		p := path.Join(dir, name)
		f, err := elf.Open(p)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("library %s: %w", p, err)
		}
		defer f.Close()
		if f.Machine != w.machine || f.Class != w.class {
			continue // of the host's other architecture
		}
		w.found[name] = p
		return w.needs(p, f)
	}
	return fmt.Errorf("library %s, which is in none of %v: %w", name, w.dirs(), fs.ErrNotExist)
}

// dirs are glibc's built-in folders: Debian's multiarch ones first.
func (w *loaderWalk) dirs() []string {
	dirs := []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib"}
	switch w.machine {
	case elf.EM_X86_64:
		return append([]string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"}, dirs...)
	case elf.EM_AARCH64:
		return append([]string{"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu"}, dirs...)
	}
	return dirs
}

func (w *loaderWalk) paths() []string {
	var all []string
	for _, p := range w.found {
		all = append(all, p)
	}
	slices.Sort(all)
	return all
}

// interpreter returns PT_INTERP, or "" for a static program.
func interpreter(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP || p.Filesz == 0 || p.Filesz > 4096 {
			continue
		}
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err == nil {
			return path.Clean(string(b[:len(b)-1])) // without its NUL
		}
	}
	return ""
}
