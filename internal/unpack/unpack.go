// Package unpack has Debian's programs for a comparison without installing them: their packages would start services.
//
// It owns the folder in which they are. It does not own how they are started.
package unpack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Packages downloads packages of the host's Debian and unpacks them below dir, unless they are there already. root is
// what takes the place of /.
func Packages(ctx context.Context, dir string, packages ...string) (root string, err error) {
	root = filepath.Join(dir, "root")
	if _, err := os.Stat(root); err == nil {
		return root, nil
	}
	debs := filepath.Join(dir, "debs")
	if err := errors.Join(os.RemoveAll(debs), os.MkdirAll(debs, 0o755)); err != nil {
		return "", err
	}
	get := exec.CommandContext(ctx, "apt-get", append([]string{"-qq", "-o", "APT::Sandbox::User=root", "download"}, packages...)...)
	get.Dir = debs
	if out, err := get.CombinedOutput(); err != nil {
		return "", fmt.Errorf("apt-get download: %w: %s", err, out)
	}
	all, err := filepath.Glob(filepath.Join(debs, "*.deb"))
	if err != nil {
		return "", err
	}
	for _, deb := range all {
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", deb, root+".new").CombinedOutput(); err != nil {
			return "", fmt.Errorf("dpkg-deb -x %s: %w: %s", deb, err, out)
		}
	}
	return root, os.Rename(root+".new", root)
}
