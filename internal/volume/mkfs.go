package volume

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// searchPath is where mkfs.ext4 is looked for. It is in sbin, which is not on an ordinary user's PATH.
const searchPath = "/usr/sbin:/sbin:/usr/bin:/bin"

// mkfs makes an empty ext4 file system that the guest's app owns, in a new,
// sparse file.
func mkfs(ctx context.Context, path string) error {
	cmd := exec.CommandContext(ctx, program("mkfs.ext4"),
		"-q", "-F", // it is a file and not a device: ask no question
		"-b", "4096", // for small volumes too, which would get blocks of 1 KiB
		"-m", "0", // reserve no blocks for root: only the app writes here
		// The file is all holes, so nothing has to be zeroed: neither here
		// nor, after the first mount, by the guest.
		"-E", fmt.Sprintf("assume_storage_prezeroed=1,root_owner=%d:%d", guest.AppUID, guest.AppUID),
		path)
	cmd.Env = []string{"PATH=" + searchPath, "LC_ALL=C"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("make volume: %w: install e2fsprogs, or run scripts/setup", err)
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("make volume: mkfs.ext4: %w: %s", err, strings.TrimSpace(out.String()))
	}
	return nil
}

// program returns the path of a program in searchPath, or its name if it is not there.
func program(name string) string {
	for dir := range strings.SplitSeq(searchPath, ":") {
		if p, err := exec.LookPath(dir + "/" + name); err == nil {
			return p
		}
	}
	return name
}
