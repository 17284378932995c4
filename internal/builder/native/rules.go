package native

import (
	"debug/elf"
	"path"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// here is the machine that this program runs on, and that the app will: gitd boots no other.
func here() (machine elf.Machine, npm string) {
	if runtime.GOARCH == "arm64" {
		return elf.EM_AARCH64, "arm64"
	}
	return elf.EM_X86_64, "x64"
}

// mayMatter reports whether a file can be an ELF file, by its name and mode. To look into each of 100,000 files would
// take longer than the installation.
func mayMatter(name string, executable bool) bool {
	base := path.Base(name)
	return executable || strings.HasSuffix(base, ".node") || strings.HasSuffix(base, ".so") || strings.Contains(base, ".so.")
}

// folders are those in which packages put the addon that they load: node-gyp's, cmake-js's and node-pre-gyp's, and
// Prisma's.
var folders = []string{"build/Release", "lib/binding", "build/lib/binding", ".prisma/client"}

var platformPackage = regexp.MustCompile(`[-_.]?linux[-_.](x64|arm64)([-_.](gnu|glibc))?$`)

// loadable reports whether Node will load the file, if its package is used at all: an addon at one of the places where
// its package looks for the one of this machine. Others may be for Electron, or for a choice that nobody made: what
// they lack is only said.
func loadable(name string) bool {
	if !strings.HasSuffix(name, ".node") || strings.Contains(path.Base(name), "musl") || strings.HasPrefix(path.Base(name), "electron") {
		return false
	}
	_, npm := here()
	dir := "/" + path.Dir(name) + "/"
	if strings.Contains(dir, "/prebuilds/") {
		return strings.Contains(dir, "/prebuilds/linux-"+npm+"/")
	}
	if slices.ContainsFunc(folders, func(f string) bool { return strings.Contains(dir, "/"+f+"/") }) {
		return !strings.Contains(dir, "musl")
	}
	return platformPackage.MatchString(packageOf(name))
}

// packageOf is the package that a file below node_modules belongs to, "": none.
func packageOf(name string) string {
	const modules = "node_modules/"
	i := strings.LastIndex("/"+name, "/"+modules)
	if i < 0 {
		return ""
	}
	parts := strings.SplitN(name[i+len(modules):], "/", 3)
	if strings.HasPrefix(parts[0], "@") && len(parts) > 2 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

// otherLibc reports whether an object was made for another C library than that of a machine: musl's, Android's, or one
// of BSD.
func (o object) otherLibc() bool {
	return slices.ContainsFunc(o.needed, func(n string) bool {
		return strings.HasPrefix(n, "libc.") && n != "libc.so.6"
	})
}
