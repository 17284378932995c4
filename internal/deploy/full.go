package deploy

import (
	"errors"
	"syscall"
)

// FreeRoom is what to do when the disk is full.
const FreeRoom = "its operator sees what takes the room with `gitd du`, and can make some: destroy an app, start gitd with a smaller --keep, or enlarge the disk; then push again"

// fullDisk is the Rejection for err if its cause is a full disk, or nil.
func fullDisk(err error) *Rejection {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return nil
	}
	return &Rejection{Reason: "the server's disk is full", Hint: FreeRoom, Err: err}
}
