// Package kernel compiles the minimal kernel of NodeOS from Debian's source.
//
// It owns the exact list of options (templates/kernel) and that none of them
// is lost, a compile whose bytes depend on its inputs alone, and a cache of
// finished kernels that all state folders of a host share. It does not own
// which kernel a base gets.
package kernel

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/base/filelock"
)

// Config says where things are. The zero value is right on a host that
// scripts/setup has prepared.
type Config struct {
	Source string // Linux's source as a tar of any compression; default DefaultSource
	Cache  string // folder for finished kernels and running compiles; default DefaultCache
	Jobs   int    // compilers at once; default: one for each CPU
	Arch   string // amd64 or arm64; default: this host's. Another one takes Debian's cross compiler
	// Packaged is the folder of a kernel that was compiled elsewhere; default DefaultPackaged.
	Packaged string

	env []string // of a test: added to a compile's environment
}

// DefaultSource is where Debian's package linux-source-6.1 leaves it.
const DefaultSource = "/usr/src/linux-source-6.1.tar.xz"

// DefaultPackaged is where Debian's package gitd-kernel leaves its kernel.
const DefaultPackaged = "/usr/lib/gitd/minimal-kernel"

// hostCache is the folder of root, and of the user to whom root has given it.
const hostCache = "/var/cache/gitd"

// DefaultCache is one folder for all states on this host. An ordinary user
// has one of their own.
func DefaultCache() (string, error) {
	if os.Geteuid() == 0 || unix.Access(hostCache, unix.W_OK) == nil {
		return filepath.Join(hostCache, "kernels"), nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "gitd", "kernels"), err
}

// Kernel is a finished kernel in the cache.
type Kernel struct {
	Digest   string `json:"digest"`  // of everything it was made from, 16 hexadecimal digits
	Release  string `json:"release"` // as uname -r says it, e.g. "6.1.172-nodeos"
	SHA256   string `json:"sha256"`  // of the image
	Size     int64  `json:"size"`    // of the image, in bytes
	Objects  int    `json:"objects"` // compiled for it
	Compiler string `json:"compiler"`

	Dir string `json:"-"` // its folder
}

// Image is what QEMU boots: on amd64 an ELF file with a PVH entry.
func (k Kernel) Image() string { return filepath.Join(k.Dir, "kernel") }

// Options is the whole .config of the kernel.
func (k Kernel) Options() string { return filepath.Join(k.Dir, "config") }

// Symbols maps the addresses in a panic's trace, which has no names, to
// functions.
func (k Kernel) Symbols() string { return filepath.Join(k.Dir, "System.map") }

// keptKernels bounds the cache: a base has a copy of its kernel.
const keptKernels = 3

func (c Config) withDefaults() (Config, error) {
	if c.Source == "" {
		c.Source = DefaultSource
	}
	if c.Jobs == 0 {
		c.Jobs = runtime.NumCPU()
	}
	c.Arch = cmp.Or(c.Arch, runtime.GOARCH)
	c.Packaged = cmp.Or(c.Packaged, DefaultPackaged)
	if c.Cache != "" {
		return c, nil
	}
	var err error
	c.Cache, err = DefaultCache()
	if c.cross() != "" { // apart, because few kernels are kept
		c.Cache = filepath.Join(c.Cache, c.Arch)
	}
	return c, err
}

// Find returns the kernel that Build would make, if it is made already, or the packaged one if that is newer. It takes
// a few system calls. ErrNotCompiled: there is none. ErrCannotCompile: what it would be made from is not on this host
// either.
func (c Config) Find() (Kernel, error) {
	c, err := c.withDefaults()
	if err != nil {
		return Kernel{}, err
	}
	packaged, packagedErr := open(c.Packaged)
	if packagedErr != nil && !errors.Is(packagedErr, fs.ErrNotExist) {
		return Kernel{}, packagedErr
	}
	k, err := c.compiled()
	if packagedErr != nil || err == nil && !newer(packaged.Release, k.Release) {
		return k, err
	}
	return packaged, nil
}

// newer reports whether one release of Linux ("6.1.172-nodeos") is newer than another.
func newer(a, b string) bool {
	return slices.Compare(numbers(a), numbers(b)) > 0
}

// numbers are those that a release begins with.
func numbers(release string) (all []int) {
	version, _, _ := strings.Cut(release, "-")
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return all
		}
		all = append(all, n)
	}
	return all
}

// compiled returns the kernel that was compiled on this host from what is there now.
func (c Config) compiled() (Kernel, error) {
	r, err := c.recipe()
	if err != nil {
		return Kernel{}, err
	}
	k, err := open(filepath.Join(c.Cache, r.digest()))
	if errors.Is(err, fs.ErrNotExist) {
		return k, ErrNotCompiled
	}
	return k, err
}

// ErrNotCompiled says that the kernel could be compiled, and is not.
var ErrNotCompiled = errors.New("the minimal kernel is not compiled yet")

func open(dir string) (Kernel, error) {
	b, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		return Kernel{}, err
	}
	k := Kernel{Dir: dir}
	if err := json.Unmarshal(b, &k); err != nil {
		return Kernel{}, fmt.Errorf("kernel %s: %w; remove it to have it compiled again", dir, err)
	}
	return k, nil
}

// Progress is how far a compile is.
type Progress struct {
	Waiting     bool          // for another process that compiles the same kernel
	Resumed     bool          // an earlier compile was interrupted, and what it made is used
	Done, Total int           // objects; Total is what was counted before, so about right
	Elapsed     time.Duration // of this compile
}

// Build finds or compiles the kernel; that takes minutes. Progress is told at
// each object. A compile that ends early goes on where it stopped the next
// time; of several at once, in any process, one compiles and the others wait.
func (c Config) Build(ctx context.Context, progress func(Progress)) (Kernel, error) {
	c, err := c.withDefaults()
	if err != nil {
		return Kernel{}, err
	}
	r, err := c.recipe()
	if err != nil {
		return Kernel{}, err
	}
	dir := filepath.Join(c.Cache, r.digest())
	if k, err := open(dir); !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	unlock, err := filelock.Take(ctx, filepath.Join(c.Cache, ".lock"), func() { progress(Progress{Waiting: true}) })
	if err != nil {
		return Kernel{}, err
	}
	defer unlock()
	if k, err := open(dir); !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	w := work{recipe: r, config: c, dir: dir + ".build", progress: progress, start: time.Now()}
	if err := w.compile(ctx, dir); err != nil {
		return Kernel{}, fmt.Errorf("compile the kernel: %w", err)
	}
	return openAndPrune(dir, c.Cache)
}

// openAndPrune opens the kernel in dir and removes from the cache the oldest
// kernels, and what compiles with other inputs left.
func openAndPrune(dir, cache string) (Kernel, error) {
	k, err := open(dir)
	if err != nil {
		return k, err
	}
	dirs, err := filepath.Glob(filepath.Join(cache, "????????????????"))
	if err != nil {
		return k, err
	}
	// The newest first: a kernel's folder is not changed after it appeared.
	slices.SortFunc(dirs, func(a, b string) int { return modTime(b).Compare(modTime(a)) })
	stale, err := filepath.Glob(filepath.Join(cache, "????????????????.*"))
	stale = append(stale, dirs[min(keptKernels, len(dirs)):]...)
	errs := []error{err}
	for _, d := range stale {
		errs = append(errs, os.RemoveAll(d))
	}
	return k, errors.Join(errs...)
}

func modTime(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
