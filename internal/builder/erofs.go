package builder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The UUID of every image: it is never looked at, but a random one would give
// each image other bytes.
const imageUUID = "6e6f6465-6f73-4000-8000-000000000000" // "nodeos"

// packOptions says how an image is made. The zero value is an uncompressed
// image that belongs to root.
type packOptions struct {
	Compression string // mkfs.erofs options, separated by spaces
	Owner       int    // uid and gid of every file
}

const (
	// A base is packed once and read by every machine: the smallest form that
	// boots no slower.
	dense = "-zlz4hc -C16384"
	// A layer is packed while somebody waits for a push: five times quicker,
	// a tenth larger.
	quick = "-zlz4"
)

// packEROFS makes dst, an EROFS image of the folder srcDir. The bytes depend
// on the names, modes and contents in srcDir and on nothing else. An error
// leaves an unfinished dst behind.
func packEROFS(ctx context.Context, srcDir, dst string, opts packOptions) error {
	mkfs, err := exec.LookPath("mkfs.erofs")
	if err != nil {
		return fmt.Errorf("pack image: %w: install erofs-utils, or run scripts/setup", err)
	}
	args, err := packArgs(srcDir, dst, opts)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, mkfs, args...)
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("pack image: %w", errors.Join(ctx.Err(), saysFull(fmt.Errorf("mkfs.erofs: %w: %s", err, lastLine(out.Bytes())), out.String())))
	}
	return nil
}

// packArgs fixes everything that mkfs.erofs would take from the files, the
// clock or chance. Extended attributes stay out as well: security.capability
// is one of them.
func packArgs(srcDir, dst string, opts packOptions) ([]string, error) {
	for _, p := range []string{srcDir, dst} {
		if !filepath.IsAbs(p) { // it could read as an option
			return nil, fmt.Errorf("pack image: %q is not an absolute path", p)
		}
	}
	args := []string{"-d1", "-x-1", "-T0", "-U" + imageUUID}
	if opts.Owner == 0 {
		args = append(args, "--all-root")
	} else {
		args = append(args, fmt.Sprintf("--force-uid=%d", opts.Owner), fmt.Sprintf("--force-gid=%d", opts.Owner))
	}
	args = append(args, strings.Fields(opts.Compression)...)
	return append(args, dst, srcDir), nil
}

func lastLine(out []byte) string {
	out = bytes.TrimSpace(out)
	return string(out[bytes.LastIndexByte(out, '\n')+1:])
}
