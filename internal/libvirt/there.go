package libvirt

import (
	"context"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/console"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/remote"
)

// leave goes to the host of uri, if that is another one. It returns the URI for libvirt.
func leave(ctx context.Context, d *Driver, uri string, cfg Config) (string, error) {
	target, err := remote.Parse(uri)
	if err != nil || target == nil {
		return uri, err
	}
	if d.there, err = remote.Open(ctx, target, remote.Config{
		State: core.StateDir(d.home), Program: cfg.Machine, QEMU: d.platform.qemu, Package: d.platform.emulator, Log: cfg.Log,
	}); err != nil {
		return "", err
	}
	d.owner = owner(d.there.Root)
	return target.URI, nil
}

// ownerAt is how machines of a state folder are marked at the libvirt of uri, and that URI as libvirt takes it.
func ownerAt(uri, home string) (owner, string, error) {
	target, err := remote.Parse(uri)
	if err != nil || target == nil {
		return owner(home), uri, err
	}
	root, err := remote.Root(core.StateDir(home))
	return owner(root), target.URI, err
}

// Elsewhere reports whether machines run on another host.
func Elsewhere(d *Driver) bool { return d.there != nil }

// prepare makes the folder of a machine there.
func prepare(ctx context.Context, there *remote.Host, id string, p jails.Place) (jails.Place, error) {
	var err error
	if p.Spec, err = there.Prepare(ctx, id, p.Spec); err != nil {
		return p, err
	}
	return p, there.Reach(ctx, id)
}

// settle has a domain name its files as they are called there.
func settle(there *remote.Host, dom *domain) {
	for _, path := range []*string{&dom.Kernel, &dom.Initrd, &dom.Console} {
		*path = there.Path(*path)
	}
	for i := range dom.Disks {
		dom.Disks[i].Path = there.Path(dom.Disks[i].Path)
	}
}

// console is the log of a machine's serial port.
func (f machineFiles) console(id string) console.Log {
	log := console.Log{Path: filepath.Join(f.state.Machine(id), "console.log")}
	if f.there != nil {
		log.Far = f.there.Console(id)
	}
	return log
}
