package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// The UUID of every image: nothing looks at it, but a random one would give each image other bytes.
const imageUUID = "6e6f6465-6f73-4000-8000-000000000000" // "nodeos"

// MaxName is bytes of one name in a layer. Linux takes 255, but mkfs.erofs 1.5 cuts the last byte off such a name, and
// then does not find the file.
const MaxName = 254

// Packing says how a file system is packed. The zero value is uncompressed and belongs to root.
type Packing struct {
	Compression string // mkfs.erofs options, separated by spaces
	Owner       int    // uid and gid of every file

	Walls *walls.Walls // around mkfs.erofs; nil: none
}

// packLimits are those of mkfs.erofs. It keeps a record of each file, and a layer has 500,000 at most.
var packLimits = walls.Limits{Memory: 4 << 30, File: 16 << 30, CPU: 30 * time.Minute}

// room is what mkfs.erofs sees: what it packs, and the folder that it packs into.
func (p Packing) room(mkfs, srcDir, dst string) (*walls.Walls, walls.Room) {
	r := walls.Room{Limits: packLimits, Mounts: []walls.Mount{
		{Path: mkfs}, {Path: srcDir}, {Path: filepath.Dir(dst), Writable: true},
	}}
	if p.Walls == nil {
		return walls.None(), r
	}
	return p.Walls, r
}

const (
	// Dense is for a base, which is packed once and read by every machine: the smallest form that boots no slower.
	Dense = "-zlz4hc -C16384"
	// Quick is for a layer, which is packed while somebody waits for a push: five times quicker, a tenth larger.
	Quick = "-zlz4"
)

// Pack makes dst, an EROFS file system of the folder srcDir. Its bytes depend on the names, modes and contents in
// srcDir and on nothing else. An error leaves an unfinished dst behind.
func Pack(ctx context.Context, srcDir, dst string, p Packing) error {
	mkfs, err := exec.LookPath("mkfs.erofs")
	if err != nil {
		return fmt.Errorf("pack image: %w: install erofs-utils, or run scripts/setup", err)
	}
	args, err := p.args(srcDir, dst)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, mkfs, args...)
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	w, room := p.room(mkfs, srcDir, dst)
	if err := w.Run(cmd, room); err != nil {
		err = fmt.Errorf("mkfs.erofs: %w: %s", err, progress.LastLine(out.Bytes()))
		return fmt.Errorf("pack image: %w", errors.Join(ctx.Err(), disk.Explain(err, out.String())))
	}
	return nil
}

// args leaves nothing to the files' owners and times, to the clock or to chance. Extended attributes are left out too:
// security.capability is one of them.
func (p Packing) args(srcDir, dst string) ([]string, error) {
	for _, path := range []string{srcDir, dst} {
		if !filepath.IsAbs(path) { // it could read as an option
			return nil, fmt.Errorf("pack image: %q is not an absolute path", path)
		}
	}
	args := []string{"-d1", "-x-1", "-T0", "-U" + imageUUID}
	if p.Owner == 0 {
		args = append(args, "--all-root")
	} else {
		args = append(args, fmt.Sprintf("--force-uid=%d", p.Owner), fmt.Sprintf("--force-gid=%d", p.Owner))
	}
	args = append(args, strings.Fields(p.Compression)...)
	return append(args, dst, srcDir), nil
}
