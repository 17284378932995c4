package builder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/units"
)

// removeChildren empties a folder but for its hidden files.
func removeChildren(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			errs = append(errs, disk.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// Limits of what a layer is made of.
const (
	maxLayerFiles = 500_000
	maxLayerBytes = 4 << 30
	maxLayerDepth = 128  // of folders; what works on them goes from the top to each, again and again
	maxLayerPath  = 4000 // bytes: no path of more than 4,095 reaches a file, and the layer's own folder has some
)

// checkPackable refuses the folder dir, which what names, if no layer is made of so much.
func checkPackable(dir, what string) error {
	u, err := disk.Use(dir)
	switch {
	case err != nil:
		return err
	case u.Size > maxLayerBytes || u.Files > maxLayerFiles:
		return core.Reject(fmt.Sprintf("%s is larger than %s or has more than %d files", what, units.Bytes(maxLayerBytes), maxLayerFiles),
			"leave out what is not needed to run")
	case u.Depth > maxLayerDepth || u.Path > maxLayerPath:
		return deepFolders(what)
	}
	return nil
}

func deepFolders(what string) error {
	return core.Reject(fmt.Sprintf("%s has folders in folders, more than %d deep or with a path of more than %d bytes", what, maxLayerDepth, maxLayerPath),
		"see what the build makes")
}
