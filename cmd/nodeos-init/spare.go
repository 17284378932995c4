package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// handLimit is how long Node, which waits, may take to read what it is to be.
const handLimit = 5 * time.Second

// spare is a machine without an app: its disks are empty, and Node waits for its program. It is told once what it is,
// and from then on it is a machine like any other.
type spare struct {
	slots    map[string]*os.File // by the serials of what they become
	launcher *launcher
	node     *process // nil: none waits any more
	order    *os.File // what node reads
	say      func(format string, args ...any)
}

// openSlots returns nil if this machine has its app's disks. The devices of a spare one are not in /dev any more when
// they are needed: they are opened now.
func openSlots() (*spare, error) {
	if _, err := waitDevice(anyApp); err != nil {
		return nil, err
	}
	s := &spare{slots: map[string]*os.File{}}
	for _, serial := range []string{guest.DiskApp, guest.DiskDeps} {
		device, err := findDisk(guest.Slot(serial))
		if errors.Is(err, errNoDevice) {
			return nil, nil // most machines have an app
		}
		if err != nil {
			return nil, err
		}
		if s.slots[serial], err = os.Open(device); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// anyApp finds the disk of an app, or what becomes one. All disks are on one bus: when one is there, the others are.
// If there is neither, it is the app's that is missed.
func anyApp() (device string, err error) {
	if device, err = findDisk(guest.Slot(guest.DiskApp)); errors.Is(err, errNoDevice) {
		return findDisk(guest.DiskApp)
	}
	return device, err
}

// await returns at once, and in a spare machine when Node waits for its program.
func (m *machine) await() error {
	if m.spare == nil {
		return nil
	}
	l, warnings, err := confine()
	for _, w := range warnings {
		m.say("%s", w)
	}
	if err != nil {
		return err
	}
	m.spare.say = m.say
	if err := practise(); err != nil {
		m.say("the practice of init failed, so the app starts more slowly: %v", err)
	}
	return errors.Join(configureLoopback(), m.spare.wait(l))
}

// practise runs what this process and the kernel run when the machine is told what it is: then their code has been
// read, unpacked and, where QEMU emulates, translated.
func practise() error {
	b, err := guest.Encode(guest.Message{Kind: guest.KindStart, Start: &guest.Start{Args: []string{guest.Node}, Env: []string{"A=b"}}})
	if err != nil {
		return err
	}
	m, err := guest.NewReader(bytes.NewReader(b)).Read()
	if err != nil {
		return err
	}
	watchFirstOpen(guest.AppDir).close()
	listeningSockets()
	_, _, err = resolve(m.Start.Args, m.Start.Env, "/")
	_, jsonErr := json.Marshal(guest.Order{Args: m.Start.Args, Env: m.Start.Env})
	return errors.Join(err, jsonErr, practiseNetwork(), practiseMount())
}

// practiseNetwork starts the machine's interface, without an address, and stops it.
func practiseNetwork() error {
	links, err := netlink.LinkList()
	for _, link := range links {
		if !isLoopback(link) {
			err = errors.Join(err, netlink.LinkSetUp(link), netlink.LinkSetDown(link))
		}
	}
	return err
}

// practiseMount joins two folders of the base as the layers of an app are joined.
func practiseMount() error {
	upper, work := guest.LayersDir+"/practice", guest.LayersDir+"/practice.work"
	err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o700))
	if err == nil {
		err = joined("/usr:/etc", upper, work).mount()
	}
	if err == nil {
		_, err = os.ReadDir(guest.AppDir)
		err = errors.Join(err, unix.Unmount(guest.AppDir, 0))
	}
	return errors.Join(err, os.RemoveAll(upper), os.RemoveAll(work))
}

// wait runs the loader to its end, as a program, and then starts Node with it.
func (s *spare) wait(l *launcher) (err error) {
	s.launcher = l
	c := command{args: []string{guest.Node, guest.Loader}, env: []string{"PATH=/usr/bin"}, dir: "/"}
	p, err := l.start(c, guest.AppUID)
	if err != nil {
		return err
	}
	p.code.close()
	if said, _ := io.ReadAll(io.LimitReader(p.output[1], guest.MaxLine)); len(said) > 0 {
		s.say("the practice of Node failed, so the app starts more slowly: %s", said)
	}
	closeAll(p.output)
	if c.input, s.order, err = os.Pipe(); err != nil {
		return err
	}
	defer c.input.Close()
	c.args, c.env = []string{guest.Node, "loader"}, append(c.env, "NODE_OPTIONS=--require "+guest.Loader, guest.LoaderVariable+"=1")
	if s.node, err = l.start(c, guest.AppUID); err != nil {
		return err
	}
	s.node.code.close()
	ready := make([]byte, len("ready\n"))
	if _, err := io.ReadFull(s.node.output[0], ready); err != nil || string(ready) != "ready\n" {
		said, _ := io.ReadAll(io.LimitReader(s.node.output[1], guest.MaxLine))
		return errors.Join(err, fmt.Errorf("node does not wait: %q %q", ready, said))
	}
	return nil
}

// mount mounts the layers that are on the slots now. For as long as that takes, the disks are in /dev again: the names
// from which layers are mounted are the same as in any machine.
func (s *spare) mount(filled []string) error {
	const flags = unix.MS_NOSUID | unix.MS_NOEXEC
	dev := mountPoint{source: "dev", target: "/dev", kind: "tmpfs", flags: flags, options: "mode=0700,size=16k"}
	if err := dev.mount(); err != nil {
		return err
	}
	err := mountApp(func(serial string) (string, error) {
		slot := s.slots[serial]
		if slot == nil || !slices.Contains(filled, serial) {
			return "", fmt.Errorf("disk %q: %w", serial, errNoDevice)
		}
		return slot.Name(), showDisk(slot)
	})
	for _, slot := range s.slots {
		slot.Close()
	}
	s.slots = nil
	return errors.Join(err, unix.Unmount(dev.target, 0))
}

// showDisk makes the node of a disk that was opened before, and has the kernel forget what it has read of the disk: it
// has looked for partitions, and would believe that the disk is empty.
func showDisk(disk *os.File) error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(disk.Fd()), &stat); err != nil {
		return err
	}
	if err := unix.IoctlSetInt(int(disk.Fd()), unix.BLKFLSBUF, 0); err != nil {
		return fmt.Errorf("%s: %w", disk.Name(), err)
	}
	return unix.Mknod(disk.Name(), unix.S_IFBLK|0o600, int(stat.Rdev))
}

// start starts c: the Node that waits becomes it if it can.
func (s *spare) start(c command) (*process, error) {
	p := s.node
	if s.node = nil; p != nil {
		defer s.order.Close()
		err := s.become(p, c)
		if err == nil {
			return p, nil
		}
		s.say("Node starts anew: %v", err)
		unix.Kill(-p.pid, unix.SIGKILL) //nolint:errcheck // it may have ended
		closeAll(p.output)
	}
	return s.launcher.start(c, guest.AppUID)
}

// become tells the process that waits what it is.
func (s *spare) become(p *process, c command) error {
	path, args, err := resolve(c.args, c.env, c.dir)
	if err != nil {
		return err
	}
	if why := guest.Anew(args, c.env); path != guest.Node || c.input != nil || c.terminal != nil || why != "" {
		return errors.New(cmp.Or(why, "it has an input"))
	}
	order, err := json.Marshal(guest.Order{Args: args, Env: c.env, Dir: c.dir})
	if err == nil {
		err = s.order.SetWriteDeadline(time.Now().Add(handLimit))
	}
	if err != nil {
		return err
	}
	p.code, p.started = watchFirstOpen(c.dir), sinceBoot()
	if _, err = s.order.Write(append(order, '\n')); err != nil {
		p.code.close()
	}
	return err
}
