package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/spare"
	"github.com/nodeos-dev/gitd/internal/warm"
)

// spareOptions are the flags of machines that are up before they have an app.
type spareOptions struct {
	count int
	asked bool // somebody has said how many
}

func (o *spareOptions) flags(f *pflag.FlagSet) {
	f.IntVar(&o.count, "spares", 1, "machines that wait, booted, for the next deployment, of the kind that boots most; none while the host's memory is short; 0: each machine boots anew")
}

// mostSpares bounds a number that was typed wrong: each has the memory of a machine.
const mostSpares = 64

func (o *spareOptions) check(f *pflag.FlagSet) error {
	o.asked = f.Changed("spares")
	if o.count < 0 || o.count > mostSpares {
		return fmt.Errorf("%d is none of 0 to %d", o.count, mostSpares)
	}
	return nil
}

// elsewhere refuses spare machines on another host: they take layers by descriptors, which stay on a host. If nobody
// asked for them, there are none.
func (o *spareOptions) elsewhere(there bool) error {
	if there && !o.asked {
		o.count = 0
	}
	if there && o.count > 0 {
		return core.Reject("machines on another host boot anew for each deployment: none can wait there", "leave --spares out")
	}
	return nil
}

// Memory that stays free on the host beside a spare machine: its QEMU's own, and a reserve for what comes.
const (
	emulatorMiB = 384
	reserveMiB  = 512
)

// room reports whether the host has the memory for a machine that nobody has asked for. What another host has free is
// not known.
func room(d *daemon, size core.Resources) bool {
	if libvirt.Elsewhere(d.driver) {
		return false
	}
	now, most := d.core.Quotas.Promised()
	if most.MemoryMiB > 0 && now.MemoryMiB+size.MemoryMiB > most.MemoryMiB {
		return false
	}
	memory, err := readMeminfo()
	return err == nil && memory.of("MemAvailable")>>20 > uint64(size.MemoryMiB+emulatorMiB+reserveMiB)
}

// What a QEMU takes at the least beside the memory of its machine: with KVM, and where it keeps what it has translated.
const (
	besideKVM = 64
	besideTCG = 160
)

// free is the memory that a machine could have which somebody waits for. Unlike room, it leaves nothing in reserve.
func free(d *daemon) (mib int, known bool) {
	memory, err := readMeminfo()
	if err != nil || libvirt.Elsewhere(d.driver) {
		return 0, false
	}
	beside := besideTCG
	if d.driver.Accel() == "kvm" {
		beside = besideKVM
	}
	return int((memory.of("MemAvailable")+memory.of("SwapFree"))>>20) - beside, true
}

// clearFor ends the machines that are up for nobody, where the host has no memory for one more.
func clearFor(ctx context.Context, d *daemon, size core.Resources) {
	if !d.warm.MakeRoom(ctx, size) {
		d.spares.Drop(ctx)
	}
}

// ready is the driver with the machines that are up before somebody asks for them: around it are those that wait, and
// around both those that were replaced. These give way to the others.
func (d *daemon) ready(o *options, log *slog.Logger) {
	d.spares = spare.New(d.driver, spare.Config{Count: o.spares.count, Log: log, Room: func(size core.Resources) bool {
		return d.warm.MakeRoom(context.Background(), size)
	}})
	d.warm = warm.New(d.spares, d.driver, warm.Config{For: o.warm.keep, Log: log, Room: func(size core.Resources) bool { return room(d, size) }})
}

// expect says which machines will be wanted, by the releases that are live. A failure costs the first deployment its
// spare machine, and nothing else.
func (d *daemon) expect(ctx context.Context, o *options) {
	if o.spares.count == 0 {
		return
	}
	lives, err := d.ledger.Lives(ctx)
	var specs []core.MachineSpec
	for _, r := range lives {
		spec, e := d.shape(ctx, r, o)
		if err = errors.Join(err, e); e == nil {
			specs = append(specs, spec)
		}
	}
	if err != nil {
		d.log.Warn().Err(err).Msg("which machines will be wanted is not known of all apps")
	}
	d.spares.Expect(specs)
}

// shape is what machines of a release have in common with those of others.
func (d *daemon) shape(ctx context.Context, r core.Release, o *options) (s core.MachineSpec, err error) {
	a, err := d.ledger.App(ctx, r.App)
	if err != nil {
		return s, err
	}
	set, err := d.ledger.Resources(ctx, r.App)
	if err != nil {
		return s, err
	}
	volumes, err := d.ledger.Volumes(ctx, r.App)
	s = core.MachineSpec{Port: r.Port(), Share: core.ShareOf(set, a, r.Manifest, o.defaults())}
	image.Boot(&s, core.StateDir(o.state), r.Manifest)
	for _, v := range volumes {
		s.Disks = append(s.Disks, core.Disk{Serial: guest.VolumeSerial(v.Name), Writable: true})
	}
	return s, err
}
