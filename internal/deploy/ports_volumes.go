package deploy

import (
	"context"

	"gitd/internal/core"
)

// Volumes is the ledger's table of volumes.
type Volumes interface {
	// Volumes are those of app, by name; an empty app means all, by app, and
	// an unknown one has none.
	Volumes(ctx context.Context, app string) ([]core.Volume, error)
	// AddVolume stores v. What CheckVolume refuses beside the app's other
	// volumes is a *Rejection. ErrNotFound: there is no such app.
	AddVolume(ctx context.Context, v core.Volume) error
	// RemoveVolume returns ErrNotFound if there is none with this id.
	RemoveVolume(ctx context.Context, id string) error
}

// VolumeFiles is where the disks are. Making and removing one is safe against
// the end of gitd at any moment: Recover ends what was begun, by what the
// ledger says.
type VolumeFiles interface {
	// Create makes an empty file system for v, has it recorded in the ledger,
	// and returns when both are done or neither is. A *Rejection says that
	// there is no room.
	Create(ctx context.Context, v core.Volume, record func() error) error
	// Remove removes v from the ledger and then from the disk.
	Remove(v core.Volume, forget func() error) error
	// Recover is called once at start, with all volumes of the ledger. A file
	// that neither Create nor Remove has marked is never removed; those that
	// the ledger does not know are returned, and volumes without a file.
	Recover(known []core.Volume) (strays []string, missing []core.Volume, err error)
	// Used is what v takes of the host's disk, in bytes.
	Used(v core.Volume) (int64, error)
}
