package disk

import (
	"errors"
	"syscall"

	"gitd/internal/core"
)

// FreeRoom is what to do when the disk is full.
const FreeRoom = "its operator sees what takes the room with `gitd du`, and can make some: destroy an app, start gitd with a smaller --keep, or enlarge the disk; then push again"

// fullDisk is the Rejection for err if its cause is a full disk, or nil.
func Full(err error) *core.Rejection {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return nil
	}
	return &core.Rejection{Reason: "the server's disk is full", Hint: FreeRoom, Err: err}
}
