package fleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/image"
)

// spec says how to boot a process of rel: its image, its environment, its share of the host, and the volumes of its
// app.
func (b booter) spec(ctx context.Context, rel core.Release, process core.ProcessID) (core.MachineSpec, error) {
	const name = "NODEOS_PROCESS"
	s, fixed, err := b.bare(ctx, rel)
	if err != nil {
		return s, err
	}
	s.Process, s.Env[name] = process, process.String()
	if _, set := s.Env["DYNO"]; !set {
		s.Env["DYNO"] = process.String() // Heroku's name of NODEOS_PROCESS
	}
	err = s.SetStart(rel.Manifest.Starting(process.Type), func(v string) bool { return v == name || fixed(v) })
	if holder, ok := rel.Manifest.VolumeHolder(); err == nil && ok && holder == process {
		err = b.attach(ctx, &s)
	}
	return s, err
}

// bare says how to boot a machine with the image, the environment and the share of rel. It lacks what the machine is to
// start, and volumes. fixed reports the variables that a start command does not change.
func (b booter) bare(ctx context.Context, rel core.Release) (s core.MachineSpec, fixed func(name string) bool, err error) {
	if err := b.complete(rel); err != nil {
		return s, nil, err
	}
	id, err := machineID(rel)
	if err != nil {
		return s, nil, err
	}
	env, own, err := b.environment(ctx, rel)
	if err != nil {
		return s, nil, err
	}
	network, err := b.cfg.Ledger.Network(ctx, rel.App)
	if err != nil {
		return s, nil, err
	}
	share, err := b.share(ctx, rel)
	if err != nil {
		return s, nil, err
	}
	s = core.MachineSpec{
		ID: id, App: rel.App, Release: rel.Version, Hostname: rel.App,
		Env: env, Port: portOf(rel),
		Share: share, Egress: network.Egress(b.cfg.Egress),
	}
	image.Boot(&s, b.cfg.State, rel.Manifest)
	return s, func(name string) bool { _, ok := own[name]; return ok }, nil
}

// complete says what is missing of the image of rel, or nil.
func (b booter) complete(rel core.Release) error {
	if err := image.Check(b.cfg.State, rel.Manifest); err != nil {
		return &core.Rejection{
			Reason: fmt.Sprintf("the image of v%d is not complete: %v", rel.Version, err), Hint: image.BuildAgain(rel), Err: err,
		}
	}
	return nil
}

// attach gives a machine the volumes of its app.
func (b booter) attach(ctx context.Context, s *core.MachineSpec) error {
	volumes, err := b.cfg.Ledger.Volumes(ctx, s.App)
	if err != nil {
		return err
	}
	for _, v := range volumes {
		file, serial := b.cfg.State.Volume(v.ID), guest.VolumeSerial(v.Name)
		if !exists(file) {
			return fmt.Errorf("the file of the volume %q is missing: bring %s back from a backup, or give it up with `volumes:remove %s %s`",
				v.Name, file, v.App, v.Name)
		}
		s.Disks = append(s.Disks, core.Disk{Serial: serial, Path: file, Writable: true})
		s.Mounts = append(s.Mounts, core.Mount{Serial: serial, Path: v.Mount})
	}
	return nil
}

// environment returns everything that the app finds in process.env, and the part of it that no start command changes.
func (b booter) environment(ctx context.Context, rel core.Release) (env, fixed map[string]string, err error) {
	vars, err := b.cfg.Ledger.Vars(ctx, rel.App)
	if err != nil {
		return nil, nil, err
	}
	env, fixed = rel.Environment(vars)
	return env, fixed, nil
}

// portOf is where rel must listen in its machine.
func portOf(rel core.Release) int { return rel.Port() }

// machineID makes an ID that is unique, because a release can be booted more than once.
func machineID(rel core.Release) (string, error) {
	var b [3]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-v%d-%s", rel.App, rel.Version, hex.EncodeToString(b[:])), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
