package libvirt

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestChooseAccel(t *testing.T) {
	const (
		intel = "processor\t: 0\nflags\t\t: fpu vme vmx sse\n"
		amd   = "flags\t\t: svm\n"
		none  = "flags\t\t: fpu novmx vmxfoo\nbugs\t\t: vmx\n"
	)
	both, emulation := []string{"qemu", "kvm"}, []string{"qemu"}
	denied, pc := errors.New("permission denied"), platforms["amd64"]
	for _, tt := range []struct {
		name string
		host host
		want string
		got  string
		why  string
	}{
		{"KVM works", host{both, true, []byte(intel), nil, pc}, "auto", "kvm", ""},
		{"on AMD", host{both, true, []byte(amd), nil, pc}, "", "kvm", ""},
		{"no hardware flag", host{both, true, []byte(none), nil, pc}, "auto", "qemu", "neither vmx nor svm"},
		{"no cpuinfo", host{both, true, nil, nil, pc}, "auto", "qemu", "neither vmx nor svm"},
		{"device denied", host{both, true, []byte(intel), denied, pc}, "auto", "qemu", "permission denied"},
		{"not offered", host{emulation, true, []byte(intel), nil, pc}, "auto", "qemu", "does not offer"},
		{"remote, offered", host{both, false, nil, denied, pc}, "auto", "kvm", ""},
		{"remote, not offered", host{emulation, false, nil, nil, pc}, "auto", "qemu", "does not offer"},
		{"emulation asked for", host{both, true, []byte(intel), nil, pc}, "qemu", "qemu", "asked for"},
		{"KVM asked for, and there", host{both, true, []byte(intel), nil, pc}, "kvm", "kvm", ""},
		{"KVM asked for against the signs", host{both, true, []byte(none), nil, pc}, "kvm", "", "neither vmx nor svm"},
		{"KVM asked for, device denied", host{both, true, []byte(intel), denied, pc}, "kvm", "", "permission denied"},
		{"KVM asked for of a remote libvirt", host{both, false, nil, denied, pc}, "kvm", "kvm", ""},
		{"KVM asked for, not offered", host{emulation, true, []byte(intel), nil, pc}, "kvm", "", "cannot be used"},
		{"nonsense", host{both, true, []byte(intel), nil, pc}, "xen", "", "unknown"},
		{"on ARM", host{both, true, nil, nil, platforms["arm64"]}, "auto", "kvm", ""},
		{"on ARM without it", host{both, true, nil, denied, platforms["arm64"]}, "auto", "qemu", "permission denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, why, err := tt.host.choose(tt.want)
			if err != nil {
				why = err.Error()
			}
			if got != tt.got || (err == nil) != (tt.got != "") || !strings.Contains(why, tt.why) || (why == "") != (tt.why == "") {
				t.Errorf("got %q, %q, %v", got, why, err)
			}
		})
	}
}

func TestMayOpen(t *testing.T) {
	qemu := &account{Name: "libvirt-qemu", UID: 64055, GID: 106, Groups: []int{64055}}
	for _, tt := range []struct {
		mode     uint32
		uid, gid int
		want     bool
	}{
		{0o660, 0, 106, true},
		{0o660, 0, 64055, true},
		{0o660, 0, 0, false},
		{0o600, 0, 0, false},
		{0o600, 0, 106, false},
		{0o666, 0, 0, true},
		{0o600, 64055, 0, true},
		{0o066, 64055, 106, false}, // the owner's bits count, and no others
		{0o606, 0, 106, false},
	} {
		if got := qemu.mayOpen(tt.mode, tt.uid, tt.gid); got != tt.want {
			t.Errorf("mode %o of %d:%d: %v", tt.mode, tt.uid, tt.gid, got)
		}
	}
}

func TestRootAlone(t *testing.T) {
	for _, tt := range []struct {
		mode     uint32
		uid, gid int
		want     bool
	}{
		{0o600, 0, 0, true},
		{0o660, 0, 0, true},
		{0o660, 0, 103, false}, // somebody's group
		{0o666, 0, 0, false},   // everybody's
		{0o600, 1000, 0, false},
	} {
		if got := rootAlone(tt.mode, tt.uid, tt.gid); got != tt.want {
			t.Errorf("mode %o of %d:%d: %v", tt.mode, tt.uid, tt.gid, got)
		}
	}
}

func TestEmbedRoot(t *testing.T) {
	root, err := embedRoot(embedURI("/var/lib/a state & more"))
	if root != "/var/lib/a state & more/libvirt" || err != nil {
		t.Errorf("got %q, %v", root, err)
	}
	if _, err := embedRoot("qemu:///embed"); err == nil {
		t.Error("no root is no error")
	}
	longest := core.StateDir("/" + strings.Repeat("x", socketPath-longestSock-len("//libvirt")))
	if _, err := embedRoot(embedURI(longest)); err != nil {
		t.Error(err)
	}
	if _, err := embedRoot(embedURI(longest + "x")); err == nil || !strings.Contains(err.Error(), "shorter --state") {
		t.Errorf("a path that is too long: %v", err)
	}
	if err := CheckState("", longest); err != nil {
		t.Error(err)
	}
	if err := CheckState("", longest+"x"); err == nil || !strings.Contains(err.Error(), "shorter --state") {
		t.Errorf("a path that is too long: %v", err)
	}
	if err := CheckState("qemu:///system", longest+"x"); err != nil {
		t.Errorf("QEMU's sockets are elsewhere: %v", err)
	}
	if sock := filepath.Join(channelDir(string(longest)+"/libvirt"), strings.Repeat("0", 16)); len(sock) > socketPath {
		t.Errorf("the channel's socket has a path of %d bytes", len(sock))
	}
}

func TestEnding(t *testing.T) {
	stopped := func(detail libvirt.DomainEventStoppedDetailType) ending {
		return ending{event: libvirt.DOMAIN_EVENT_STOPPED, detail: int(detail)}
	}
	panicked := []string{"[    1.2] x", "[    1.3] Kernel panic - not syncing: VFS: Unable to mount root fs\r", "[    1.4] CPU: 0"}
	for _, tt := range []struct {
		name     string
		how      ending
		failed   string
		console  []string
		detail   string
		abnormal bool
	}{
		{"power-off", stopped(libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN), "", nil, "it powered off", false},
		{"destroyed", stopped(libvirt.DOMAIN_EVENT_STOPPED_DESTROYED), "", nil, "it was stopped", false},
		{"panic", stopped(libvirt.DOMAIN_EVENT_STOPPED_DESTROYED), "", panicked, "the guest's kernel panicked: VFS: Unable to mount root fs", true},
		{"QEMU killed", stopped(libvirt.DOMAIN_EVENT_STOPPED_CRASHED), "", nil, "QEMU ended unexpectedly", true},
		{"QEMU failed", stopped(libvirt.DOMAIN_EVENT_STOPPED_FAILED), "", nil, "QEMU ended unexpectedly", true},
		{"crashed", ending{event: libvirt.DOMAIN_EVENT_CRASHED, detail: 0}, "", nil, "the guest crashed", true},
		{"init gave up", stopped(libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN), "no disk\nmore", panicked, "the guest cannot go on: no disk", true},
	} {
		detail, abnormal := tt.how.explain(tt.failed, tt.console)
		if detail != tt.detail || abnormal != tt.abnormal {
			t.Errorf("%s: %q, %v", tt.name, detail, abnormal)
		}
	}
}
