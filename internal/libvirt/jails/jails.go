// Package jails says what is between the machines of a driver and everything else: it gives each one ids, a door and
// limits, and writes them down for gitd-machine, which makes the walls (package jail) when libvirt starts it.
//
// It owns which machine has which ids and doors. It does not own how a wall is made, nor libvirt's part.
package jails

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/cgroup"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/guestport"
	"github.com/nodeos-dev/gitd/internal/jail"
)

// Config says whose machines these are.
type Config struct {
	State    core.StateDir
	Program  string // gitd-machine
	QEMU     string
	User     string // as whom libvirt starts machines; empty: as whom this process runs, or, of a daemon, as it likes
	Embedded bool   // libvirt is in this process
	There    string // gitd-machine on another host, to which doors of this host lead; empty: machines run on this host
	Shared   bool   // machines may run without ids of their own
	Bridged  bool   // machines have a network of libvirt, and no doors
	Log      zerolog.Logger
}

// Jails are those of one driver's machines.
type Jails struct {
	Config

	ids    *ids         // nil: machines share a uid
	groups *cgroup.Tree // nil: this host has none for gitd
}

// Place is what a machine's domain must say of its walls.
type Place struct {
	Emulator string // in place of QEMU
	Spec     string // value of jail.EnvSpec
	Door     string // core.Machine's Addr; empty: nobody connects to the machine
}

// New finds the ids that machines can have. Without any it fails, unless the operator has allowed that.
func New(cfg Config) (*Jails, error) {
	if _, err := os.Stat(cfg.Program); err != nil {
		return nil, fmt.Errorf("gitd-machine, which starts each machine, is missing: %w; `make build` puts it beside gitd", err)
	}
	j := &Jails{Config: cfg, groups: openGroups(cfg)}
	if !cfg.Embedded {
		cfg.Log.Warn().Msg("machines share the user of libvirt's daemon: it takes from its QEMUs the right to other ids")
		return j, nil
	}
	name, uid, err := cfg.user()
	if err != nil {
		return nil, err
	}
	j.ids, err = readIDs(name, uid)
	if err != nil && !cfg.Shared {
		return nil, fmt.Errorf("machines need ids of their own: %w. As root: usermod --add-subuids 200000-265535 --add-subgids 200000-265535 %s "+
			"(choose a range that is free). With --allow-shared-uid, machines run as one user, and one that breaks out of its QEMU reaches all others", err, name)
	}
	if err != nil {
		cfg.Log.Warn().Err(err).Msg("machines share one user: one that breaks out of its QEMU reaches all others")
	}
	return j, nil
}

func (c Config) user() (name string, uid int, err error) {
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if c.User != "" {
		u, err = user.Lookup(c.User)
	}
	if err != nil {
		return "", 0, err
	}
	uid, err = strconv.Atoi(u.Uid)
	return u.Username, uid, err
}

// Make decides the walls of a machine, and writes them into its folder.
func (j *Jails) Make(m core.MachineSpec) (Place, error) {
	spec := &jail.Spec{
		Emulator: j.QEMU, OOM: oomScore, Limits: limits(m), Peer: os.Getuid(),
		Files: files(m),
		Port:  m.Port, Egress: m.Egress,
	}
	p := Place{Spec: j.file(m.ID)}
	var err error
	if p.Emulator, err = j.Emulator(); err != nil {
		return Place{}, err
	}
	if j.ids != nil {
		if spec.UID, spec.GID, err = j.ids.take(m.ID); err != nil {
			return Place{}, err
		}
	}
	if spec.Groups, err = j.group(m); err != nil {
		return Place{}, err
	}
	if spec.Bridged = j.Bridged; j.Bridged {
		return p, spec.Write(p.Spec)
	}
	app := j.door(m.ID, "app")
	spec.Control, spec.Ports = j.door(m.ID, "net"), guestport.Door(app)
	if m.Port != 0 {
		spec.App, p.Door = app, app
	}
	return p, spec.Write(p.Spec)
}

// Adopt notes the ids of a machine that was found running. One that gitd has started before there were walls has none:
// then the error is fs.ErrNotExist. So it is of one on a network of libvirt that this gitd does not have.
func (j *Jails) Adopt(id string) error {
	spec, err := jail.Load(j.file(id))
	if err == nil && spec.Bridged && !j.Bridged {
		return fmt.Errorf("%s is on a network of libvirt: %w", id, os.ErrNotExist)
	}
	if err == nil && j.ids != nil {
		j.ids.adopt(id, spec.UID)
	}
	return err
}

// bridged reports whether a machine has a network of libvirt.
func (j *Jails) bridged(id string) bool {
	if !j.Bridged {
		return false
	}
	spec, err := jail.Load(j.file(id))
	return err == nil && spec.Bridged
}

// Control connects to the network of a machine that runs.
func (j *Jails) Control(ctx context.Context, id string) (net.Conn, error) {
	spec, err := jail.Load(j.file(id))
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", spec.Control)
}

// file is where a machine's walls are written down.
func (j *Jails) file(id string) string { return filepath.Join(j.State.Machine(id), "walls.json") }

// Free takes back what a machine had that is over.
func (j *Jails) Free(id string) {
	if j.ids != nil {
		j.ids.free(id)
	}
	if j.groups != nil {
		if err := j.groups.Group(groupOf(id)).Remove(); err != nil {
			j.Log.Warn().Err(err).Str("machine", id).Msg("its control group stays")
		}
	}
}

// door is a unix socket that only gitd may use: in its own state folder, or, where a machine is another user's and
// cannot write there, a name that says who may connect (jail asks the kernel who does).
func (j *Jails) door(id, name string) string {
	if j.Embedded || j.There != "" {
		return filepath.Join(j.State.Machine(id), name)
	}
	return "@gitd-" + rand.Text() + "-" + name
}

// Emulator returns the path by which libvirt knows gitd-machine. What a QEMU can do, libvirt keeps by its path and
// time: another QEMU behind gitd-machine must have another path.
func (j *Jails) Emulator() (string, error) {
	if j.There != "" {
		return j.There, nil
	}
	info, err := os.Stat(j.QEMU)
	if err != nil {
		return "", fmt.Errorf("QEMU: %w; scripts/setup installs it", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d %d", j.Program, j.QEMU, info.Size(), info.ModTime().UnixNano()))
	link := filepath.Join(j.State.Libvirt(), "qemu-"+hex.EncodeToString(sum[:4]))
	if err := os.Symlink(j.Program, link); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return link, nil
}

// oomScore makes machines end before gitd when the host has no memory left. Builds end first: they have 1000.
const oomScore = 500

// limits are of QEMU, beside the memory of its guest: it needs room for its own code, for translated code where it
// emulates, and for threads.
func limits(m core.MachineSpec) jail.Limits {
	return jail.Limits{AddressSpace: uint64(m.MemoryMiB)<<20 + 6<<30, Processes: 128 + uint64(m.CPUs), OpenFiles: 1024}
}

// files are what QEMU opens of a machine.
func files(m core.MachineSpec) []jail.File {
	all := []jail.File{{Path: m.Kernel}}
	if m.Initrd != "" {
		all = append(all, jail.File{Path: m.Initrd})
	}
	for _, d := range m.Disks {
		all = append(all, jail.File{Path: d.Path, Writable: d.Writable})
	}
	return all
}
