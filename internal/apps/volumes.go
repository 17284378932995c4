package apps

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Volumes makes and removes volumes, the disks that outlive the machines of an app. Its methods are safe for concurrent
// use.
type Volumes struct {
	cfg   Config
	files VolumeFiles

	making sync.Mutex // held while a volume is made: two together could be more than there may be
}

// NewVolumes makes a Volumes whose disks are kept in files.
func NewVolumes(cfg Config, files VolumeFiles) *Volumes { return &Volumes{cfg: cfg, files: files} }

// VolumeUse is a volume as people see it.
type VolumeUse struct {
	core.Volume
	Used   int64 // bytes of the host's disk
	Lost   bool  // its file is not there
	Booted bool  // a machine that runs has it; false: the next machine will have it
}

// VolumesOf are the volumes of app, by name.
func (s *Volumes) VolumesOf(ctx context.Context, app string) ([]VolumeUse, error) {
	volumes, err := s.cfg.Ledger.Volumes(ctx, app)
	if err != nil {
		return nil, err
	}
	holders, err := s.Holders(ctx, app)
	if err != nil {
		return nil, err
	}
	var uses []VolumeUse
	for _, v := range volumes {
		used, err := s.files.Used(v)
		u := VolumeUse{Volume: v, Used: used, Lost: err != nil}
		for _, m := range holders {
			u.Booted = u.Booted || m.Has(v)
		}
		uses = append(uses, u)
	}
	return uses, nil
}

// Holders are the machines of app that have its volumes: see core.Machine.Has.
func (s *Volumes) Holders(ctx context.Context, app string) (all []core.Machine, err error) {
	machines, err := s.cfg.Ledger.Machines(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range machines {
		if m.App != app {
			continue
		}
		rel, err := s.cfg.Ledger.Release(ctx, app, m.Release)
		if err != nil {
			return nil, err
		}
		if p, ok := rel.Manifest.VolumeHolder(); ok && p == m.Process {
			all = append(all, m)
		}
	}
	return all, nil
}

// CreateVolume makes an empty volume for app, with a size in bytes. A machine gets its disks when it starts, so a
// machine that runs goes on without the volume.
func (s *Volumes) CreateVolume(ctx context.Context, by core.Actor, app, name string, size int64, mount string, w io.Writer) error {
	return s.AddVolume(ctx, by, core.Volume{App: app, Name: name, Size: size, Mount: mount}, "empty", s.files.Create, w)
}

// AddVolume makes a volume with what is in it, which create puts on the disk, and is called what.
func (s *Volumes) AddVolume(ctx context.Context, by core.Actor, v core.Volume, what string,
	create func(ctx context.Context, v core.Volume, record func() error) error, w io.Writer,
) error {
	app, size := v.App, v.Size
	s.making.Lock()
	defer s.making.Unlock()
	a, err := s.cfg.Ledger.App(ctx, app)
	if err != nil {
		return err
	}
	others, err := s.cfg.Ledger.Volumes(ctx, app)
	if err != nil {
		return err
	}
	v.Created = time.Now()
	if err := core.CheckVolume(v, others); err != nil {
		return err
	}
	if a.Live > 0 {
		live, err := s.cfg.Ledger.Release(ctx, app, a.Live)
		if err != nil {
			return err
		}
		if err := a.Scale.CheckVolumes(live.Manifest, append(others, v)); err != nil {
			return err
		}
	}
	if err := s.cfg.Quotas.CheckDisk(ctx, app, size); err != nil {
		return err
	}
	if v.ID, err = volumeID(v); err != nil {
		return err
	}
	err = create(ctx, v, func() error { return s.cfg.Ledger.AddVolume(context.WithoutCancel(ctx), v) })
	if err != nil {
		return disk.Rejected(err)
	}
	s.cfg.Label(ctx, app)
	s.cfg.Trail.Note(ctx, app, by.Name, "volume.create", fmt.Sprintf("%s, %s, %s, at %s", v.Name, units.Bytes(size), what, v.Mount))
	r := progress.NewReport(w)
	r.Step("Volume %s of %s: %s, %s, at %s", v.Name, app, units.Bytes(size), what, v.Mount)
	if a.Live > 0 && !a.Stopped {
		r.Detail("%s has it from its next start on: `ps:restart %s`, or the next push", app, app)
	}
	return nil
}

// volumeID makes an ID that people can read in the folder of volumes, and that is never used twice.
func volumeID(v core.Volume) (string, error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%s-%s", v.App, v.Name, hex.EncodeToString(b[:])), nil
}

// RemoveVolume removes a volume and everything in it, unless a machine has it.
func (s *Volumes) RemoveVolume(_ context.Context, by core.Actor, app, name string, w io.Writer) error {
	return s.cfg.Deployer.Operate(by, app, "the removal of a volume", false, w, func(ctx context.Context, t *deploy.Turn) error {
		if err := t.Unlocked(); err != nil {
			return err
		}
		release, err := s.cfg.Fleet.Stage(ctx, app) // no machine of app boots in the meantime
		if err != nil {
			return err
		}
		defer release()
		v, err := s.removable(ctx, app, name)
		if err != nil {
			return err
		}
		err = s.files.Remove(v, func() error { return s.cfg.Ledger.RemoveVolume(context.WithoutCancel(ctx), v.ID) })
		if err != nil {
			return err
		}
		s.cfg.Trail.Note(ctx, app, by.Name, "volume.remove", fmt.Sprintf("%s, %s at %s", name, units.Bytes(v.Size), v.Mount))
		t.Report.Step("Volume %s of %s is gone, and what was in it", name, app)
		return nil
	})
}

func (s *Volumes) removable(ctx context.Context, app, name string) (core.Volume, error) {
	uses, err := s.VolumesOf(ctx, app)
	if err != nil {
		return core.Volume{}, err
	}
	for _, u := range uses {
		switch {
		case u.Name != name:
		case u.Booted:
			return core.Volume{}, core.Reject(fmt.Sprintf("the volume %q is in use: %s runs with it", name, app),
				"stop the app first: `ps:stop "+app+"`; it starts without the volume afterwards: `ps:start "+app+"`")
		default:
			return u.Volume, s.unsnapped(u.Volume)
		}
	}
	return core.Volume{}, core.Reject(fmt.Sprintf("%s has no volume %q", app, name), "`volumes "+app+"` lists what it has")
}

// unsnapped refuses a volume that has snapshots, which would go with it.
func (s *Volumes) unsnapped(v core.Volume) error {
	all, err := s.files.Snapshots(v)
	if err != nil || len(all) == 0 {
		return err
	}
	return core.Reject(fmt.Sprintf("the volume %q of %s has snapshots: %d, the newest is %s", v.Name, v.App, len(all), all[len(all)-1].Name),
		fmt.Sprintf("remove them first, each with: volumes:snapshots:remove %s %s NAME", v.App, v.Name))
}

// Recover finishes what the last gitd began, and logs what does not fit together. It removes nothing that has data in
// it.
func (s *Volumes) Recover(ctx context.Context) error {
	known, err := s.cfg.Ledger.Volumes(ctx, "")
	if err != nil {
		return err
	}
	strays, missing, err := s.files.Recover(known)
	if err != nil {
		return errors.Join(errors.New("volumes cannot be looked through"), err)
	}
	for _, f := range strays {
		s.cfg.Log.Warn("file of a volume that the ledger does not know; nothing is done to it", "file", f)
	}
	for _, v := range missing {
		s.cfg.Log.Error("the file of a volume is missing", "app", v.App, "volume", v.Name, "file", s.cfg.State.Volume(v.ID))
	}
	return nil
}
