package kernel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/base/stamp"
	"github.com/nodeos-dev/gitd/templates"
)

// recipeFormat is part of every kernel's digest: raise it when the way of
// compiling changes and the inputs do not.
const recipeFormat = 1

// ErrCannotCompile says that this host lacks what a compile needs. The error says
// what, and what to do.
var ErrCannotCompile = errors.New("no kernel can be compiled here")

// recipe is everything that decides a kernel's bytes.
type recipe struct {
	Format   int    `json:"format"`
	Arch     string `json:"arch"`
	Source   string `json:"source"` // SHA-256 of the tar
	Options  string `json:"options"`
	Compiler string `json:"compiler"`
	Linker   string `json:"linker"`
}

func (r recipe) digest() string {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings cannot fail
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// compiler and linker are the programs whose versions matter. Those that write the kernel's sources
// (flex, bison, bc) do not leave a trace of theirs.
func (c Config) compiler() string { return "/usr/bin/" + c.cross() + "gcc" }
func (c Config) linker() string   { return "/usr/bin/" + c.cross() + "ld" }

// cross is what the names of Debian's cross compiler begin with; empty: the host compiles for itself.
func (c Config) cross() string {
	switch {
	case c.Arch == runtime.GOARCH:
		return ""
	case c.Arch == "arm64":
		return "aarch64-linux-gnu-"
	default:
		return "x86_64-linux-gnu-"
	}
}

// recipe reads the inputs. Reading the source takes half a second and asking
// the compiler some milliseconds, so what they are is kept under what stat
// says of them.
func (c Config) recipe() (recipe, error) {
	options, err := optionList(c.Arch)
	if err != nil {
		return recipe{}, err
	}
	memo, err := c.memo()
	if err != nil {
		return recipe{}, err
	}
	r := recipe{}
	if b, err := os.ReadFile(memo); err != nil || json.Unmarshal(b, &r) != nil {
		if r, err = c.readInputs(); err != nil {
			return recipe{}, err
		}
		if err := writeMemo(memo, r); err != nil {
			return recipe{}, err
		}
	}
	r.Format, r.Arch, r.Options = recipeFormat, c.Arch, options
	return r, nil
}

func (c Config) memo() (string, error) {
	var b strings.Builder
	for _, file := range []string{c.Source, c.compiler(), c.linker()} {
		err := stamp.Write(&b, file)
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%w: there is no %s; run scripts/setup kernel", ErrCannotCompile, file)
		}
		if err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256([]byte(b.String()))
	return filepath.Join(c.Cache, ".inputs-"+hex.EncodeToString(sum[:8])), nil
}

// writeMemo replaces the memo of an older source: there is one.
func writeMemo(name string, r recipe) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, ".inputs-*"))
	for _, o := range old {
		err = errors.Join(err, os.Remove(o))
	}
	b, marshalErr := json.Marshal(r)
	if err = errors.Join(err, marshalErr); err != nil {
		return err
	}
	return renameio.WriteFile(name, b, 0o644)
}

func (c Config) readInputs() (r recipe, err error) {
	f, err := os.Open(c.Source)
	if err != nil {
		return r, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return r, err
	}
	r.Source = hex.EncodeToString(h.Sum(nil))
	if r.Compiler, err = version(c.compiler()); err != nil {
		return r, err
	}
	r.Linker, err = version(c.linker())
	return r, err
}

// version is the first line that a program says of itself.
func version(program string) (string, error) {
	cmd := exec.CommandContext(context.Background(), program, "--version")
	cmd.Env = []string{"LC_ALL=C"}
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", program, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line, nil
}

// optionList is what Kconfig is asked for on arch.
func optionList(arch string) (string, error) {
	var text strings.Builder
	for _, name := range []string{"nodeos", "nodeos-" + arch} {
		b, err := templates.FS.ReadFile("kernel/" + name + ".config")
		if errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("%w: gitd has no kernel options for %s", ErrCannotCompile, arch)
		}
		if err != nil {
			return "", err
		}
		text.Write(b)
	}
	return text.String(), nil
}
