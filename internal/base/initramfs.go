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
	"strings"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// wantedModules are what a machine needs of a stock kernel before init can
// find its disks and its channel, in the order in which they are needed.
func wantedModules() []string {
	return []string{
		"virtio_pci", "virtio_blk", "erofs", "overlay", // the image
		"virtio_console",  // the control channel
		"virtio_net",      // the network
		"virtio_rng",      // entropy
		"button", "evdev", // the power button
	}
}

// initramfs is what a stock kernel gets: init, and the modules in the order
// of loading. Init finds both by these names.
func initramfs(init string, modules []string) tree {
	var t tree
	t.file("init", 0o755, init, "gitd: nodeos-init")
	t.folder("dev", 0o755)
	var order strings.Builder
	for _, m := range modules {
		name := filepath.Base(m)
		t.file(path.Join(guest.ModulesDir, name), 0o644, m, "stock kernel")
		order.WriteString(name + "\n")
	}
	t.text(guest.ModuleOrder, order.String())
	return t
}

// moduleOrder finds the files of the wanted modules below dir and returns
// them with what they depend on, in an order in which they can be loaded. A
// wanted module that the kernel has built in is left out.
func moduleOrder(dir string, wanted []string) ([]string, error) {
	files, err := moduleFiles(dir)
	if err != nil {
		return nil, err
	}
	builtin, err := builtinModules(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	s := moduleSort{files: files, builtin: builtin, done: map[string]bool{}}
	for _, name := range wanted {
		if err := s.add(name); err != nil {
			return nil, err
		}
	}
	return s.order, nil
}

// moduleSort visits modules depth first.
type moduleSort struct {
	files   map[string]string // name → path
	builtin map[string]bool
	done    map[string]bool
	order   []string
}

// add appends a module after what it depends on. The modules' own lists are
// read, because modules.dep is not in Debian's package: depmod makes it when
// the kernel is installed.
func (s *moduleSort) add(name string) error {
	if s.done[name] || s.builtin[name] {
		return nil
	}
	s.done[name] = true
	file, ok := s.files[name]
	if !ok {
		return fmt.Errorf("the stock kernel has no module %s: run scripts/setup again", name)
	}
	depends, err := moduleDepends(file)
	if err != nil {
		return err
	}
	for _, d := range depends {
		if err := s.add(d); err != nil {
			return fmt.Errorf("module %s: %w", name, err)
		}
	}
	s.order = append(s.order, file)
	return nil
}

// moduleFiles maps the names of the modules below dir to their paths.
func moduleFiles(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.HasSuffix(p, ".ko") {
			files[moduleName(p)] = p
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list kernel modules: %w", err)
	}
	return files, nil
}

// moduleName is the name a module is known by: virtio-rng.ko is virtio_rng.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".ko"), "-", "_")
}

func builtinModules(list string) (map[string]bool, error) {
	b, err := os.ReadFile(list)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list built-in modules: %w", err)
	}
	names := map[string]bool{}
	for f := range strings.FieldsSeq(string(b)) {
		names[moduleName(f)] = true
	}
	return names, nil
}

// moduleDepends reads "depends=a,b" from a module's .modinfo section.
func moduleDepends(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", file, err)
	}
	defer f.Close()
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("read module %s: no .modinfo", file)
	}
	info, err := s.Data()
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", file, err)
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok {
			names := strings.Split(strings.ReplaceAll(list, "-", "_"), ",")
			return slices.DeleteFunc(names, func(n string) bool { return n == "" }), nil
		}
	}
	return nil, nil
}
