// Command package makes the Debian packages of gitd: `go run ./scripts/package -arch amd64 -out bin/packages`.
//
// It owns what is in them (with templates/debian), their version, their bill of materials, and that the same commit
// gives the same bytes. It does not own how a package is packed (tools/deb), nor the kernel (internal/base/kernel).
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/base/kernel"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	arch := flag.String("arch", runtime.GOARCH, "amd64 or arm64")
	out := flag.String("out", "bin/packages", "folder for the packages")
	as := flag.String("as", "", "what git describe would say; empty: what it says of this checkout")
	flag.Parse()
	qemu, known := map[string]string{"amd64": "qemu-system-x86", "arm64": "qemu-system-arm"}[*arch]
	if !known {
		return fmt.Errorf("-arch %s: use amd64 or arm64", *arch)
	}
	dir, err := filepath.Abs(*out)
	if err != nil {
		return err
	}
	p := job{arch: *arch, out: dir, stage: filepath.Join(dir, "stage-"+*arch), qemu: qemu}
	if p.described, p.epoch, err = commit(ctx); err != nil {
		return err
	}
	p.described = cmp.Or(*as, p.described)
	p.version = debianVersion(p.described, p.epoch)
	return p.make(ctx)
}

// job is the packages of one commit for one architecture.
type job struct {
	arch, out, stage, qemu string
	described              string // what `gitd version` says: git describe
	version                string // of the packages
	epoch                  time.Time
}

func (p job) make(ctx context.Context) error {
	if err := errors.Join(os.RemoveAll(p.stage), os.MkdirAll(p.stage, 0o755)); err != nil {
		return err
	}
	defer os.RemoveAll(p.stage) // what is left is made anew the next time
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"compiling gitd", p.programs}, {"writing its manual", p.manual}, {"the minimal kernel", p.kernel},
		{"packing gitd", p.packer("gitd")}, {"packing gitd-kernel", p.packer("gitd-kernel")},
	} {
		fmt.Fprintf(os.Stderr, "package: %s (%s, %s)\n", step.what, p.version, p.arch)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// commit returns what git says of the checkout: its name and when it was made.
func commit(ctx context.Context) (described string, at time.Time, err error) {
	out, err := exec.CommandContext(ctx, "git", "describe", "--tags", "--dirty", "--always", "--match", "v[0-9]*").Output()
	if err != nil {
		return "", at, fmt.Errorf("git describe: %w; packages are made from a clone, which says their version", err)
	}
	when, err := exec.CommandContext(ctx, "git", "log", "-1", "--format=%cI").Output()
	if err != nil {
		return "", at, fmt.Errorf("git log: %w", err)
	}
	at, err = time.Parse(time.RFC3339, strings.TrimSpace(string(when)))
	return strings.TrimSpace(string(out)), at.UTC(), err
}

// tagged is what git describe says of a commit at or after a tag: v1.2.3, v1.2.3-rc.1, v1.2.3-14-g0123abc.
var tagged = regexp.MustCompile(`^v(\d+\.\d+\.\d+)(?:-((?:alpha|beta|rc)[0-9A-Za-z.]*))?(?:-(\d+)-g([0-9a-f]+))?(-dirty)?$`)

// debianVersion is a version that sorts as releases do: v1.2.3-rc.1 before v1.2.3, and commits after a tag behind it.
// Without a tag, the time of the commit decides.
func debianVersion(described string, at time.Time) string {
	m := tagged.FindStringSubmatch(described)
	if m == nil {
		name, dirty := strings.CutSuffix(described, "-dirty")
		version := "0~" + at.Format("20060102.150405") + "." + name
		if dirty {
			version += "+dirty"
		}
		return version
	}
	version := m[1]
	if m[2] != "" {
		version += "~" + m[2]
	}
	if m[3] != "" {
		version += "+" + m[3] + ".g" + m[4]
	}
	if m[5] != "" {
		version += "+dirty"
	}
	return version
}

// programs compiles what runs: with the same flags for everybody, and without a trace of the folder.
func (p job) programs(ctx context.Context) error {
	env := []string{"GOARCH=" + p.arch, "GOOS=linux"}
	if p.arch != runtime.GOARCH {
		cc := map[string]string{"arm64": "aarch64-linux-gnu-gcc", "amd64": "x86_64-linux-gnu-gcc"}[p.arch]
		env = append(env, "CC="+cc)
	}
	err := command(ctx, append(env, "CGO_ENABLED=1"), "go", "build", "-trimpath", "-buildvcs=false", "-tags=libvirt_dlopen",
		"-ldflags=-s -w -buildid= -X main.linkedVersion="+p.described, "-o", filepath.Join(p.stage, "gitd"), "./cmd/gitd")
	for _, name := range []string{"init nodeos-init", "machine gitd-machine", "hook gitd-hook"} {
		script, program, _ := strings.Cut(name, " ")
		err = errors.Join(err, command(ctx, append(env, "GOFLAGS=-buildvcs=false"), "scripts/build-"+script, filepath.Join(p.stage, program)))
	}
	return err
}

// manual writes the pages of the manual, and what shells complete.
func (p job) manual(ctx context.Context) error {
	err := command(ctx, nil, "go", "run", "-trimpath", "-buildvcs=false", "-tags=libvirt_dlopen,manual",
		"-ldflags=-X main.linkedVersion="+p.described, "./cmd/gitd", p.stage, fmt.Sprint(p.epoch.Unix()))
	if err != nil {
		return err
	}
	pages, err := filepath.Glob(filepath.Join(p.stage, "man", "*.1"))
	for _, page := range pages {
		err = errors.Join(err, pack(page))
	}
	return err
}

// pack replaces a file by its gzip, which has no time and no name in it.
func pack(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, err = z.Write(text)
	return errors.Join(err, z.Close(), os.WriteFile(file+".gz", packed.Bytes(), 0o644), os.Remove(file))
}

// kernel compiles the kernel, or takes it from the cache of this host.
func (p job) kernel(ctx context.Context) error {
	next := time.Now()
	// The kernel that an installed package has is not looked at: Build makes what this checkout says.
	k, err := kernel.Config{Arch: p.arch}.Build(ctx, func(at kernel.Progress) {
		if time.Now().After(next) {
			next = time.Now().Add(20 * time.Second)
			fmt.Fprintf(os.Stderr, "package: %d of about %d objects\n", at.Done, at.Total)
		}
	})
	if err != nil {
		return err
	}
	dir := filepath.Join(p.stage, "minimal-kernel")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, from := range []string{k.Image(), k.Options(), k.Symbols(), filepath.Join(k.Dir, "kernel.json")} {
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(from)), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// packer packs one of the packages, and writes its bill of materials beside it.
func (p job) packer(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		env := []string{"GOFLAGS=", "ARCH=" + p.arch, "VERSION=" + p.version, "STAGE=" + p.stage, "QEMU=" + p.qemu,
			fmt.Sprintf("SOURCE_DATE_EPOCH=%d", p.epoch.Unix())}
		if err := command(ctx, env, "go", "-C", "tools/deb", "build", "-o", filepath.Join(p.stage, "deb"), "."); err != nil {
			return err
		}
		if err := command(ctx, env, filepath.Join(p.stage, "deb"), "templates/debian/"+name+".yaml", p.out); err != nil {
			return err
		}
		return p.billOf(name)
	}
}

// command runs a program, whose output is this one's.
func command(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
