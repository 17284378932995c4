package gitd_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// inRoot runs a command as root in the Debian at root. Bubblewrap only makes
// the mounts here, so that none is left behind.
func inRoot(ctx context.Context, t *testing.T, root string, args ...string) []byte {
	t.Helper()
	wall := []string{"--bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--ro-bind", "/etc/resolv.conf", "/etc/resolv.conf",
		"--unshare-pid", "--die-with-parent", "--cap-add", "ALL", "--"}
	cmd := exec.CommandContext(ctx, "bwrap", append(wall, args...)...)
	cmd.Env = append(proxies(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return out
}

// proxies are the only settings that a Docker build takes from outside.
func proxies() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(strings.ToLower(v), "=")
		return !strings.HasSuffix(name, "_proxy")
	})
}

// cacheDir holds what need not be fetched for each run.
func cacheDir(t *testing.T, name string) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir() // no HOME
	}
	dir := filepath.Join(base, "gitd-test", name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// debianRoot unpacks what debian:bookworm-slim starts from: a minimal
// bookworm with its security archive.
func debianRoot(ctx context.Context, t *testing.T) string {
	return unpack(ctx, t, debianTar(ctx, t, "bookworm"))
}

// debianTar returns a minimal Debian of a release, with its security archive, as a tar.
func debianTar(ctx context.Context, t *testing.T, release string) string {
	t.Helper()
	return cachedRoot(ctx, t, release, func(root string) {
		host(ctx, t, "debootstrap", "--variant=minbase", release, root)
		addUpdates(t, filepath.Join(root, "etc/apt/sources.list"), release)
	})
}

// cachedRoot returns the tar of a root of this name, which is made if it is not in the cache.
func cachedRoot(ctx context.Context, t *testing.T, name string, fill func(root string)) string {
	t.Helper()
	packed := filepath.Join(cacheDir(t, "debootstrap"), name+".tar")
	if _, err := os.Stat(packed); err == nil {
		return packed
	}
	root := t.TempDir()
	fill(root)
	// An image comes without an index, so setup must fetch one.
	for _, leftover := range []string{"var/lib/apt/lists", "var/cache/apt/archives"} {
		if err := os.RemoveAll(filepath.Join(root, leftover)); err != nil {
			t.Fatal(err)
		}
	}
	host(ctx, t, "tar", "-c", "--numeric-owner", "-f", packed+".new", "-C", root, ".")
	if err := os.Rename(packed+".new", packed); err != nil {
		t.Fatal(err)
	}
	return packed
}

func unpack(ctx context.Context, t *testing.T, packed string) string {
	t.Helper()
	root := t.TempDir()
	host(ctx, t, "tar", "-x", "--numeric-owner", "-f", packed, "-C", root)
	return root
}

// addUpdates names the archives of updates beside the one that debootstrap
// used and wrote down: "deb MIRROR bookworm main".
func addUpdates(t *testing.T, list, release string) {
	t.Helper()
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(text))
	if len(words) < 4 || words[0] != "deb" {
		t.Fatalf("debootstrap wrote %q", text)
	}
	mirror := words[1]
	text = append(text, "deb "+mirror+" "+release+"-updates main\ndeb "+mirror+"-security "+release+"-security main\n"...)
	if err := os.WriteFile(list, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// host runs a command of this host in a mount namespace of its own:
// debootstrap mounts /proc and does not always unmount it.
func host(ctx context.Context, t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// buildPrograms stands for the Dockerfile's first stage: it returns the
// folder that holds what make build leaves in /src.
func buildPrograms(ctx context.Context, t *testing.T) string {
	t.Helper()
	src := t.TempDir()
	for program, cgo := range map[string]string{"gitd": "1", "nodeos-init": "0", "gitd-machine": "0", "gitd-hook": "0"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-tags=libvirt_dlopen", "-o", filepath.Join(src, "bin", program), "./cmd/"+program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", program, err, out)
		}
	}
	return src
}

// copyInto does one COPY. What comes from the build stage is below built.
func copyInto(t *testing.T, root, built string, args []string) {
	t.Helper()
	from := "."
	if args[0] == "--from=build" {
		from, args = built, args[1:]
	}
	sources, dst := args[:len(args)-1], args[len(args)-1]
	for _, src := range sources {
		to := filepath.Join(root, dst)
		if strings.HasSuffix(dst, "/") {
			to = filepath.Join(to, filepath.Base(src))
		}
		copyFile(t, filepath.Join(from, strings.TrimPrefix(src, "/src/")), to)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, info.Mode()&fs.ModePerm); err != nil {
		t.Fatal(err)
	}
}
