package image

import (
	"fmt"
	"os"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Check returns an error for a file of m's image that is missing or has another size, or nil if the image can be booted
// without a build. It reads no contents: Layers.Verify does that for a layer.
func Check(d core.StateDir, m core.Manifest) error {
	for _, p := range []string{d.Kernel(m.Base), d.Root(m.Base)} {
		if _, err := os.Stat(p); err != nil {
			return err
		}
	}
	for _, l := range m.Layers() {
		if err := CheckLayer(d, l); err != nil {
			return err
		}
	}
	return nil
}

// CheckLayer returns an error if the file of l is missing or has another size.
func CheckLayer(d core.StateDir, l core.Layer) error {
	info, err := os.Stat(d.Layer(l.Digest))
	if err != nil {
		return err
	}
	if info.Size() != l.Size {
		return fmt.Errorf("layer %.12s has %d bytes instead of %d", l.Digest, info.Size(), l.Size)
	}
	return nil
}

// Bootable reports whether the image of r exists, so that r can be booted without a build.
func Bootable(d core.StateDir, r core.Release) bool {
	return !r.Manifest.Empty() && Check(d, r.Manifest) == nil
}

// BuildAgain says what to type to deploy a release whose image is gone.
func BuildAgain(r core.Release) string {
	return fmt.Sprintf("its commit can be built again: git tag back-to-v%d %.12s && git push REMOTE back-to-v%d",
		r.Version, r.Commit, r.Version)
}
