package main

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/volume"
)

// volumesOf are the files of volumes. Where machines run on another host, none can be made: their boots would fail.
func volumesOf(d *daemon, state core.StateDir) engine.VolumeFiles {
	files := volume.Open(state)
	if libvirt.Elsewhere(d.driver) {
		return noVolumes{files}
	}
	return files
}

// noVolumes has the volumes that there are, and makes no others.
type noVolumes struct{ engine.VolumeFiles }

var errNoVolumes = core.Reject("volumes are on gitd's host, and the machines of this gitd run on another one",
	"keep what must last in a service that the app reaches by the network")

// Create implements engine.VolumeFiles.
func (noVolumes) Create(context.Context, core.Volume, func() error) error { return errNoVolumes }

// Adopt implements engine.VolumeFiles.
func (noVolumes) Adopt(context.Context, core.Volume, *core.Draft, func() error) error {
	return errNoVolumes
}
