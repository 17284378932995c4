package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// rootAge is how long fetched clients are used. Then they are fetched again, since the suites go on.
const rootAge = 30 * 24 * time.Hour

// debian is a set of packages of one suite, with all that they need. They are unpacked and never configured, which
// takes a few seconds and is enough for programs that a test starts by name; debootstrap would make a whole system.
type debian struct {
	suite    string
	packages string
	once     sync.Once
	dir      string
	err      error
}

// root returns the folder that the packages stand in. It is kept in the user's cache.
func (d *debian) root(t *testing.T) string {
	t.Helper()
	d.once.Do(func() { d.dir, d.err = d.cached() })
	if d.err != nil {
		t.Fatalf("fetch %s: %v", d.suite, d.err)
	}
	return d.dir
}

func (d *debian) cached() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir() // no HOME
	}
	cache = filepath.Join(cache, "gitd-test", "clients")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(d.packages))
	dir := filepath.Join(cache, d.suite+"-"+hex.EncodeToString(sum[:4]))
	if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) < rootAge {
		return dir, nil
	}
	fresh, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	if err := d.fetch(fresh); err != nil {
		return "", err
	}
	now := time.Now() // tar has given the folder the time of a package
	if err := os.Chtimes(filepath.Join(fresh, "root"), now, now); err != nil {
		return "", err
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Rename(filepath.Join(fresh, "root"), dir)
}

// fetch has the host's apt find and fetch the packages, beside the host's own, and unpacks them into work/root.
func (d *debian) fetch(work string) error {
	root := filepath.Join(work, "root")
	for _, dir := range []string{
		"lists/partial", "cache/archives/partial", "root/proc", "root/dev", "root/tmp", "root/home", "root/etc",
	} {
		if err := os.MkdirAll(filepath.Join(work, dir), 0o755); err != nil {
			return err
		}
	}
	for _, dir := range []string{"bin", "sbin", "lib", "lib64"} { // some packages bring them, others do not
		if err := os.MkdirAll(filepath.Join(root, "usr", dir), 0o755); err != nil {
			return err
		}
		if err := os.Symlink("usr/"+dir, filepath.Join(root, dir)); err != nil {
			return err
		}
	}
	files := map[string]string{
		"sources": "deb http://deb.debian.org/debian " + d.suite + " main\n", "status": "", "root/etc/passwd": "",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := d.apt(work, "update"); err != nil {
		return err
	}
	install := []string{"install", "--yes", "--download-only", "--no-install-recommends"}
	if err := d.apt(work, append(install, strings.Fields(d.packages)...)...); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(work, "cache/archives/*.deb"))
	for _, deb := range debs {
		if err := unpack(deb, root); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(deb), err)
		}
	}
	return err
}

func (d *debian) apt(work string, args ...string) error {
	options := []string{
		"--quiet=2", "-o", "Dir::Etc::sourcelist=" + work + "/sources", "-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::State::lists=" + work + "/lists", "-o", "Dir::State::status=" + work + "/status",
		"-o", "Dir::Cache=" + work + "/cache", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=root",
		"-o", "Acquire::Languages=none",
		"-o", "Acquire::Check-Valid-Until=false", // a mirror that is behind is good enough; what is signed is checked
	}
	out, err := exec.Command("apt-get", append(options, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// unpack does what dpkg-deb --extract does, but leaves the links to /usr alone.
func unpack(deb, root string) error {
	from := exec.Command("dpkg-deb", "--fsys-tarfile", deb)
	to := exec.Command("tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", root)
	pipe, err := from.StdoutPipe()
	if err != nil {
		return err
	}
	to.Stdin = pipe
	if err := from.Start(); err != nil {
		return err
	}
	out, err := to.CombinedOutput()
	if end := from.Wait(); err == nil {
		err = end
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
