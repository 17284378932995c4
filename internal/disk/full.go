package disk

import (
	"errors"
	"strings"
	"syscall"

	"github.com/nodeos-dev/gitd/internal/core"
)

// FreeRoom is what to do when the disk is full.
const FreeRoom = "its operator sees what takes the room with `gitd du`, and can make some: destroy an app, " +
	"start gitd with a smaller --keep, or enlarge the disk; then try again"

// Full is the Rejection for err if its cause is a full disk, or nil.
func Full(err error) *core.Rejection {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return nil
	}
	return &core.Rejection{Reason: "the server's disk is full", Hint: FreeRoom, Err: err}
}

// Explain adds ENOSPC to the causes of err, a program's failure, if the program's output says that the disk is full.
// The output is the only place where it stands: an exit code does not tell. A nil err stays nil.
func Explain(err error, output string) error {
	if err == nil {
		return nil
	}
	for _, words := range []string{"No space left on device", "ENOSPC", "Disk quota exceeded", "EDQUOT"} {
		if strings.Contains(output, words) {
			return errors.Join(err, syscall.ENOSPC)
		}
	}
	return err
}

// ExplainBySpace is Explain for programs that do not say why a write failed: it adds ENOSPC if the file system of
// path has no block left.
func ExplainBySpace(err error, path string) error {
	if err == nil {
		return nil
	}
	if s, statErr := SpaceOf(path); statErr == nil && s.Free == 0 {
		return errors.Join(err, syscall.ENOSPC)
	}
	return err
}
