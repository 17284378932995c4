package builder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"gitd/internal/deploy"
)

// memo remembers the id of a base under what stat says of its ingredients,
// so that a push does not read 150 MB to learn what it knew before. It is a
// cache: losing it costs half a second.
type memo struct{ path string }

func (p basePlan) memo(state deploy.StateDir) (memo, error) {
	var b strings.Builder
	fmt.Fprintln(&b, baseFormat, p.node.Node, p.kernel.version, dense)
	all := append(append(tree{{path: "vmlinuz", host: p.kernel.image()}}, p.initrd...), p.root...)
	for _, e := range all {
		fmt.Fprintf(&b, "%q %v %q %q", e.path, e.mode, e.origin, e.data)
		if e.host != "" {
			if err := stamp(&b, e.host); err != nil {
				return memo{}, err
			}
		}
		fmt.Fprintln(&b)
	}
	return memo{filepath.Join(state.Cache(), "base-"+digestOf([]byte(b.String()))[:16])}, nil
}

// stamp writes what changes whenever the file's content does: with the inode
// and the change time, which no program can set, a restored modification time
// does not hide a change.
func stamp(b *strings.Builder, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("stat %s: %w", file, errors.ErrUnsupported)
	}
	fmt.Fprintf(b, " %q %d %d %d %d %d", file, s.Dev, s.Ino, s.Size, s.Mtim.Nano(), s.Ctim.Nano())
	return nil
}

// read returns the remembered id, or "".
func (m memo) read() (string, error) {
	id, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !isBaseID(string(id)) {
		return "", nil
	}
	return string(id), err
}

func (m memo) write(id string) error { return renameio.WriteFile(m.path, []byte(id), 0o600) }
