package debian

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// triplets are the folders of Debian's libraries, by architecture.
func triplets() map[string]string {
	return map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
}

// Libraries are the names of the shared libraries below dir that the dynamic loader finds without being told where.
func Libraries(dir string) ([]string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var names []string
	for _, lib := range []string{"lib", "usr/lib"} {
		for _, folder := range []string{lib, path.Join(lib, triplets()[native()])} {
			entries, err := fs.ReadDir(root.FS(), folder)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			for _, e := range entries {
				if !e.IsDir() && strings.HasPrefix(e.Name(), "lib") && strings.Contains(e.Name(), ".so") {
					names = append(names, e.Name())
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
