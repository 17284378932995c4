package base

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/base/stamp"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

// memo is a file that holds the id of a base. Its name depends on what stat says of the base's ingredients, so that a
// push need not read 150 MB of them to find the id. It is a cache: to lose it costs half a second.
type memo struct{ path string }

func (p plan) memo(state core.StateDir) (memo, error) {
	var b strings.Builder
	fmt.Fprintln(&b, format, p.node.Version, p.kernel.name, image.Dense)
	all := append(append(tree{{path: "kernel", host: p.kernel.image}}, p.kernel.initrd...), p.root...)
	for _, e := range all {
		fmt.Fprintf(&b, "%q %v %q %q", e.path, e.mode, e.origin, e.data)
		if e.host != "" {
			if err := stamp.Write(&b, e.host); err != nil {
				return memo{}, err
			}
		}
		fmt.Fprintln(&b)
	}
	return memo{filepath.Join(state.Cache(), "base-"+digestOf([]byte(b.String()))[:16])}, nil
}

// read returns the remembered id, or "".
func (m memo) read() (string, error) {
	id, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !isID(string(id)) {
		return "", nil
	}
	return string(id), err
}

func (m memo) write(id string) error { return renameio.WriteFile(m.path, []byte(id), 0o600) }
