package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/templates"
)

// debianMiB is what a Debian guest has: its initrd is not unpacked in less than 256.
const debianMiB = 512

// debianLimit is for its boot, which takes a minute where QEMU emulates.
const debianLimit = 10 * time.Minute

// debian is a guest as people make one for an app: debootstrap, Debian's kernel, systemd, Node in /usr/local, a unit.
type debian struct {
	b    *bench
	disk string
	root string
	port int
}

// debians: the same app in a Debian 12 guest, by the same QEMU, beside a machine of ours booted by itself.
func debians(b *bench, ctx context.Context) error {
	if b.floor.args == nil {
		return errors.New("it boots what the part push has pushed: name that too")
	}
	d, err := b.debian(ctx)
	if err != nil {
		return err
	}
	const other = "a Debian 12 guest (512 MiB)"
	for range b.rounds {
		ours, err := b.floor.boot(ctx, b)
		if err != nil {
			return fmt.Errorf("QEMU by itself: %w", err)
		}
		theirs, err := d.boot(ctx)
		if err != nil {
			return fmt.Errorf("the Debian guest: %w", err)
		}
		b.table.compare("hello: QEMU's start → first 200", "s", other, ours.total, theirs.total)
		b.table.compare("hello: memory of QEMU then (PSS)", "MiB", other, ours.memory, theirs.memory)
	}
	ours, err := b.gitd.imageSize()
	if err != nil {
		return err
	}
	theirs, err := taken(d.disk)
	b.table.compare("on the disk: one app, with all that it boots from", "MB", other, float64(ours)/1e6, float64(theirs)/1e6)
	return err
}

// imageSize is what the files of the base, and all layers, take.
func (g *gitd) imageSize() (sum int64, err error) {
	for _, pattern := range []string{"bases/*/*", "layers/*"} {
		files, err := filepath.Glob(filepath.Join(g.state, pattern))
		if err != nil {
			return 0, err
		}
		for _, f := range files {
			n, err := taken(f)
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// taken is how much of the disk a file takes, without its holes.
func taken(name string) (int64, error) {
	var s syscall.Stat_t
	err := syscall.Stat(name, &s)
	return s.Blocks * 512, err // what stat counts in
}

// debian makes the guest's disk, or takes that of an earlier run.
func (b *bench) debian(ctx context.Context) (d *debian, err error) {
	dir := filepath.Join(b.work, "debian")
	d = &debian{b: b, disk: filepath.Join(dir, "disk.raw"), root: filepath.Join(dir, "root")}
	if d.port, err = freePort(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(d.disk); err == nil {
		return d, nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
		return nil, err
	}
	if err := b.command(ctx, "", "debootstrap", "--variant=minbase", "--include=systemd-sysv,udev,libstdc++6,linux-image-"+runtime.GOARCH,
		"bookworm", d.root); err != nil {
		return nil, err
	}
	if err := d.install(ctx); err != nil {
		return nil, err
	}
	if err := b.command(ctx, "", "mke2fs", "-q", "-t", "ext4", "-d", d.root, d.disk+".new", "2G"); err != nil {
		return nil, err
	}
	return d, os.Rename(d.disk+".new", d.disk)
}

// The guest's own files.
const (
	debianUnit = `[Service]
WorkingDirectory=/srv/app
Environment=NODE_ENV=production PORT=%d
ExecStart=/usr/local/bin/node server.js
User=nobody
[Install]
WantedBy=multi-user.target
`
	debianNetwork = `[Match]
Name=en* eth*
[Network]
Address=10.0.2.15/24
Gateway=10.0.2.2
`
)

// install puts Node, which is the very file of our base, the app and its unit into the root.
func (d *debian) install(ctx context.Context) error {
	bases, err := filepath.Glob(filepath.Join(d.b.gitd.state, "bases/*/root.erofs"))
	if err != nil || len(bases) == 0 {
		return fmt.Errorf("gitd has no base: %w", err)
	}
	ours := filepath.Join(d.b.work, "debian", "base")
	if err := d.b.command(ctx, "", "fsck.erofs", "--extract="+ours, bases[0]); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(ours, guest.Node), filepath.Join(d.root, "usr/local/bin/node")); err != nil {
		return err
	}
	files, err := fs.Sub(templates.FS, "apps/hello")
	if err != nil {
		return err
	}
	err = os.CopyFS(filepath.Join(d.root, "srv/app"), files)
	for name, text := range map[string]string{
		"etc/fstab":                         "/dev/vda / ext4 defaults 0 1\n",
		"etc/systemd/system/app.service":    fmt.Sprintf(debianUnit, appPort),
		"etc/systemd/network/first.network": debianNetwork,
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(d.root, name), []byte(text), 0o644))
	}
	return errors.Join(err, os.RemoveAll(ours), os.RemoveAll(filepath.Join(d.root, "var/cache/apt/archives")),
		os.RemoveAll(filepath.Join(d.root, "var/lib/apt/lists")),
		d.b.command(ctx, "", "systemctl", "--quiet", "--root="+d.root, "enable", "app", "systemd-networkd"))
}

// boot boots the guest once on a disk that it may change, asks its app, and ends it.
func (d *debian) boot(ctx context.Context) (_ booted, err error) {
	ctx, cancel := context.WithTimeout(ctx, debianLimit)
	defer cancel()
	args, err := d.args()
	if err != nil {
		return booted{}, err
	}
	begun := time.Now()
	qemu, err := d.b.start("debian", args...)
	if err != nil {
		return booted{}, err
	}
	defer func() { err = errors.Join(err, qemu.end()) }()
	at := target{addr: "127.0.0.1:" + strconv.Itoa(d.port)}
	for {
		// QEMU takes connections before the guest does, and one that is not answered stays open.
		once, cancel := context.WithTimeout(ctx, time.Second)
		_, err := at.get(once)
		cancel()
		if err == nil {
			break
		}
		select {
		case <-time.After(askPause):
		case <-qemu.exited:
			return booted{}, fmt.Errorf("QEMU ended: %s has what it said", qemu.log)
		case <-ctx.Done():
			return booted{}, errors.Join(ctx.Err(), err)
		}
	}
	got := booted{total: time.Since(begun).Seconds()}
	got.memory, err = pss(qemu.Process.Pid)
	return got, err
}

// args are QEMU's: of our machine, what is no disk, no channel and no kernel.
func (d *debian) args() ([]string, error) {
	kernels, err := filepath.Glob(filepath.Join(d.root, "boot/vmlinuz-*"))
	if err != nil || len(kernels) == 0 {
		return nil, fmt.Errorf("the Debian guest has no kernel: %w", err)
	}
	initrds, err := filepath.Glob(filepath.Join(d.root, "boot/initrd.img-*"))
	if err != nil || len(initrds) == 0 {
		return nil, fmt.Errorf("the Debian guest has no initrd: %w", err)
	}
	args := []string{d.b.floor.args[0]}
	for i, word := range d.b.floor.args {
		switch word {
		case "-accel", "-cpu", "-smp", "-bios":
			args = append(args, word, d.b.floor.args[i+1])
		case "-machine":
			args = append(args, word, memoryOf.ReplaceAllString(d.b.floor.args[i+1], ""))
		}
	}
	return append(args, "-m", strconv.Itoa(debianMiB), "-display", "none", "-no-user-config", "-nodefaults", "-snapshot",
		"-kernel", kernels[0], "-initrd", initrds[0], "-append", "root=/dev/vda rw quiet console=ttyS0 nolapic_timer no_timer_check",
		"-drive", "if=none,id=d0,format=raw,file="+d.disk, "-device", "virtio-blk-pci,drive=d0",
		"-serial", "file:"+filepath.Join(d.b.run, "debian-console"),
		"-netdev", fmt.Sprintf("user,id=n0,hostfwd=tcp:127.0.0.1:%d-:%d", d.port, appPort), "-device", "virtio-net-pci,netdev=n0,romfile=",
	), nil
}
