// Package jail puts the QEMU of one machine behind walls: ids of its own, namespaces that hold nothing but its disks,
// and limits.
//
// It owns how a process goes in: from libvirt's call (Enter) over a user namespace (Supervise) to where QEMU runs
// (Inside). It does not own the machine's network, which the supervisor carries beside QEMU, nor which disks and limits
// a machine has: its Spec says so.
package jail

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/core"
)

// The environment by which the stages know each other. libvirt sets the first one from the machine's XML. Without it,
// libvirt asks what the emulator can do, and no machine is meant.
const (
	EnvSpec  = "GITD_MACHINE"
	envStage = "GITD_MACHINE_STAGE"
)

// FramesFD is the descriptor at which QEMU finds its network. It is above all that libvirt hands to QEMU.
const FramesFD = 200

// Netdev is the value of QEMU's -netdev: its network card is wired to the process around it, which is a machine's only
// way out (package gateway).
func Netdev() string {
	return fmt.Sprintf("stream,id=n0,server=off,addr.type=fd,addr.str=%d", FramesFD)
}

// Spec is one machine as its walls see it. It holds no secret.
type Spec struct {
	Emulator string   `json:"emulator"`         // QEMU's path
	Files    []File   `json:"files"`            // what QEMU may open besides its program
	UID      uint32   `json:"uid,omitempty"`    // the first of two subordinate uids; 0: there are none, see Single
	GID      uint32   `json:"gid,omitempty"`    // … and of two gids
	OOM      int      `json:"oom"`              // oom_score_adj of the machine's processes
	Limits   Limits   `json:"limits"`           // of QEMU
	Groups   []string `json:"groups,omitempty"` // control groups to enter: their cgroup.procs files

	App     string `json:"app"`     // the unix socket for the app's port: a path, or @ and an abstract name
	Ports   string `json:"ports"`   // … for any port, and for connections to linked apps: see guestport.Dial
	Control string `json:"control"` // … and for the network's policy
	Peer    int    `json:"peer"`    // the only uid besides root that may connect to an abstract name

	// Bridged is that QEMU has its network from libvirt, as a descriptor: then nothing is carried here, and there are
	// no doors.
	Bridged bool `json:"bridged,omitempty"`

	Port   int         `json:"port,omitempty"` // where the app listens in the guest; 0: nobody connects to it
	Egress core.Egress `json:"egress"`         // what the machine may reach, until gitd says otherwise
}

// File is a file or folder on the host that QEMU sees at the same path.
type File struct {
	Path     string `json:"path"`
	Writable bool   `json:"writable,omitempty"`
}

// Limits are of each process of a machine.
type Limits struct {
	AddressSpace uint64 `json:"address_space"` // bytes
	Processes    uint64 `json:"processes"`     // threads counted
	OpenFiles    uint64 `json:"open_files"`
}

// Single reports whether there are no subordinate ids: QEMU keeps the uid that libvirt gave it, and has namespaces.
func (s *Spec) Single() bool { return s.UID == 0 }

// Write stores s for the processes of one machine, which may run as another user.
func (s *Spec) Write(path string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}

// Load reads what Write has stored.
func Load(path string) (*Spec, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the machine's walls: %w", err)
	}
	s := &Spec{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, fmt.Errorf("the machine's walls, %s: %w", path, err)
	}
	return s, s.check()
}

func (s *Spec) check() error {
	if !filepath.IsAbs(s.Emulator) {
		return errors.New("the machine's walls name no emulator")
	}
	for _, f := range s.Files {
		if !filepath.IsAbs(f.Path) || f.Path != filepath.Clean(f.Path) {
			return fmt.Errorf("the machine's walls: the path %q is not absolute and clean", f.Path)
		}
	}
	return nil
}
