package deploy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"gitd/internal/core"
	"gitd/internal/guest"
	"gitd/internal/progress"
	"gitd/internal/units"
)

// VolumeUse is a volume as people see it.
type VolumeUse struct {
	core.Volume
	Used   int64 // bytes of the host's disk
	Lost   bool  // its file is not there
	Booted bool  // a machine that runs has it; otherwise the next one will
}

// VolumesOf are the volumes of app, by name.
func (d *Deployer) VolumesOf(ctx context.Context, app string) ([]VolumeUse, error) {
	volumes, err := d.cfg.Volumes.Volumes(ctx, app)
	if err != nil {
		return nil, err
	}
	machines, err := d.cfg.Ledger.Machines(ctx)
	if err != nil {
		return nil, err
	}
	var uses []VolumeUse
	for _, v := range volumes {
		used, err := d.cfg.VolumeFiles.Used(v)
		u := VolumeUse{Volume: v, Used: used, Lost: err != nil}
		for _, m := range machines {
			u.Booted = u.Booted || has(m, v)
		}
		uses = append(uses, u)
	}
	return uses, nil
}

// has reports whether m may have v among its disks: it was started since v
// was made, and what was made later can have come only with its next start.
func has(m core.Machine, v core.Volume) bool { return m.App == v.App && !m.Started.Before(v.Created) }

// CreateVolume makes an empty volume for app. A machine gets its disks when it
// starts, so one that runs goes on without.
func (d *Deployer) CreateVolume(ctx context.Context, by core.Actor, app, name string, size int64, mount string, w io.Writer) error {
	a, err := d.cfg.Ledger.App(ctx, app)
	if err != nil {
		return err
	}
	others, err := d.cfg.Volumes.Volumes(ctx, app)
	if err != nil {
		return err
	}
	v := core.Volume{App: app, Name: name, Size: size, Mount: mount, Created: time.Now()}
	if err := core.CheckVolume(v, others); err != nil {
		return err
	}
	if v.ID, err = volumeID(v); err != nil {
		return err
	}
	err = d.cfg.VolumeFiles.Create(ctx, v, func() error { return d.cfg.Volumes.AddVolume(context.WithoutCancel(ctx), v) })
	if err != nil {
		return err
	}
	d.record(ctx, app, by.Name, "volume.create", fmt.Sprintf("%s, %s at %s", name, units.Bytes(size), mount))
	r := progress.NewReport(w)
	r.Step("Volume %s of %s: %s, empty, at %s", name, app, units.Bytes(size), mount)
	if a.Live > 0 && !a.Stopped {
		r.Detail("%s has it from its next start on: `ps:restart %s`, or the next push", app, app)
	}
	return nil
}

// volumeID is readable to who looks into the folder, and given once.
func volumeID(v core.Volume) (string, error) {
	var b [6]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%s-%s", v.App, v.Name, hex.EncodeToString(b[:])), nil
}

// RemoveVolume removes a volume and all that is in it, unless a machine has
// it.
func (d *Deployer) RemoveVolume(ctx context.Context, by core.Actor, app, name string, w io.Writer) error {
	return d.operate(by, app, "the removal of a volume", false, w, func(ctx context.Context, j *deployment) error {
		if err := j.unlocked(); err != nil {
			return err
		}
		release, err := j.k.stage.take(ctx) // nothing of app boots meanwhile
		if err != nil {
			return err
		}
		defer release()
		v, err := d.removable(ctx, app, name)
		if err != nil {
			return err
		}
		err = d.cfg.VolumeFiles.Remove(v, func() error { return d.cfg.Volumes.RemoveVolume(context.WithoutCancel(ctx), v.ID) })
		if err != nil {
			return err
		}
		d.record(ctx, app, by.Name, "volume.remove", fmt.Sprintf("%s, %s at %s", name, units.Bytes(v.Size), v.Mount))
		j.report.Step("Volume %s of %s is gone, and what was in it", name, app)
		return nil
	})
}

func (d *Deployer) removable(ctx context.Context, app, name string) (core.Volume, error) {
	uses, err := d.VolumesOf(ctx, app)
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
			return u.Volume, nil
		}
	}
	return core.Volume{}, core.Reject(fmt.Sprintf("%s has no volume %q", app, name), "`volumes "+app+"` lists what it has")
}

// attach gives a machine the volumes of its app.
func (d *Deployer) attach(ctx context.Context, s *core.MachineSpec) error {
	volumes, err := d.cfg.Volumes.Volumes(ctx, s.App)
	if err != nil {
		return err
	}
	for _, v := range volumes {
		file, serial := d.cfg.State.Volume(v.ID), guest.VolumeSerial(v.Name)
		if !exists(file) {
			return fmt.Errorf("the file of the volume %q is missing: bring %s back from a backup, or give it up with `volumes:remove %s %s`", v.Name, file, v.App, v.Name)
		}
		s.Disks = append(s.Disks, core.Disk{Serial: serial, Path: file, Writable: true})
		s.Mounts = append(s.Mounts, core.Mount{Serial: serial, Path: v.Mount})
	}
	return nil
}

// noVolumes refuses to destroy an app that has data of its own.
func (d *Deployer) noVolumes(ctx context.Context, app string) error {
	volumes, err := d.cfg.Volumes.Volumes(ctx, app)
	if err != nil || len(volumes) == 0 {
		return err
	}
	v := volumes[0]
	return core.Reject(fmt.Sprintf("%s has %d volume(s), which would be lost: first %q, %s at %s", app, len(volumes), v.Name, units.Bytes(v.Size), v.Mount),
		fmt.Sprintf("remove each: `ps:stop %s`, then `volumes:remove %s %s --confirm %s`", app, app, v.Name, v.Name))
}

// recoverVolumes ends what the last gitd began, and tells of what does not
// fit. It removes nothing that has data in it.
func (d *Deployer) recoverVolumes(ctx context.Context) error {
	known, err := d.cfg.Volumes.Volumes(ctx, "")
	if err != nil {
		return err
	}
	strays, missing, err := d.cfg.VolumeFiles.Recover(known)
	if err != nil {
		return errors.Join(errors.New("volumes cannot be looked through"), err)
	}
	for _, f := range strays {
		d.cfg.Log.Warn("file of a volume that the ledger does not know; nothing is done to it", "file", f)
	}
	for _, v := range missing {
		d.cfg.Log.Error("the file of a volume is missing", "app", v.App, "volume", v.Name, "file", d.cfg.State.Volume(v.ID))
	}
	return nil
}
