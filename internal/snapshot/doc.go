// Package snapshot is copies of volumes as they were at one moment: what people take, fork, export and import, and what
// a backup takes along.
//
// It owns how such a copy comes about, whether a machine has the volume or not. It does not own which volumes there are
// (package apps), the files (Files), nor how a machine that runs is copied (Capturer).
package snapshot

import (
	"context"
	"os"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/quota"
)

// Files is where the disks of volumes and their snapshots are.
type Files interface {
	// Open opens v, or its snapshot with this name, for reading. A *core.Rejection says that there is no such snapshot.
	Open(v core.Volume, snapshot string) (*os.File, error)
	// Used returns how many bytes v takes of the host's disk.
	Used(v core.Volume) (int64, error)
	// Draft makes an empty file of size bytes, of which used will be filled. A *core.Rejection says that there is no
	// room.
	Draft(size, used int64) (*core.Draft, error)
	// Keep makes a draft a snapshot of v. A *core.Rejection says that the name is taken, or is none.
	Keep(v core.Volume, name string, d *core.Draft) error
	// Adopt makes a draft the file of the new volume v, and calls record, which stores v in the ledger. It returns when
	// both are done, or neither.
	Adopt(ctx context.Context, v core.Volume, d *core.Draft, record func() error) error
	// Replace gives v the contents of a draft. A machine that runs with v keeps the contents that it has.
	Replace(v core.Volume, d *core.Draft) error
	Snapshots(v core.Volume) ([]core.Snapshot, error)
	RemoveSnapshot(v core.Volume, name string) error
}

// Capturer copies disks of machines that run.
type Capturer interface {
	// Capture copies disks of a machine, all as they are at one moment. It returns core.ErrNotFound if no such machine
	// runs.
	Capture(ctx context.Context, machine string, disks []core.DiskCopy) (core.Captured, error)
}

// Config is what Snapshots work with. Every field is required.
type Config struct {
	State    core.StateDir
	Volumes  *apps.Volumes
	Files    Files
	Capturer Capturer
	Fleet    *fleet.Fleet
	Quotas   *quota.Gate
	Trail    *audit.Trail
}

// Snapshots takes copies of volumes. Its methods are safe for concurrent use.
type Snapshots struct{ cfg Config }

// New makes Snapshots.
func New(cfg Config) *Snapshots { return &Snapshots{cfg} }
