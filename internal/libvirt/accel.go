package libvirt

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

const (
	accelAuto = "auto"
	accelKVM  = "kvm"
	accelQEMU = "qemu"
)

// host is what the choice of an accelerator depends on.
type host struct {
	offered []string // of the domain types kvm and qemu, those that libvirt can run
	local   bool     // libvirt runs on this machine, which the fields below describe
	cpuinfo []byte
	kvm     error // why QEMU's user cannot open /dev/kvm; nil: it can
	platform
}

// choose returns the domain type to use. why says why it is not KVM, and is empty if it is.
func (h host) choose(want string) (accel, why string, err error) {
	why = h.noKVM()
	switch want {
	case "", accelAuto:
		if why != "" {
			return accelQEMU, why, nil
		}
		return accelKVM, "", nil
	case accelKVM:
		// Where a sign is missing, gitd starts and each boot fails, or hangs until its time is up.
		if why != "" {
			return "", "", core.Reject("KVM was asked for and cannot be used: "+why, "let gitd choose: --accel auto; or emulate: --accel qemu")
		}
		return accelKVM, "", nil
	case accelQEMU:
		return accelQEMU, "it was asked for", nil
	default:
		return "", "", core.Reject(fmt.Sprintf("the accelerator %q is unknown", want), "use --accel auto, kvm or qemu")
	}
}

// noKVM says why KVM does not work. It returns an empty text if KVM works.
func (h host) noKVM() string {
	switch {
	case h.local && h.kvm != nil:
		return h.kvm.Error()
	case (h.local || len(h.cpuinfo) > 0) && h.hardware != nil && !h.hardware.Match(h.cpuinfo):
		return "the processor shows neither vmx nor svm"
	case !slices.Contains(h.offered, accelKVM):
		return "libvirt does not offer it"
	}
	return ""
}

// chooseAccel asks libvirt and the host how machines can run. To answer, libvirt starts QEMU, which takes seconds, and
// keeps the answer.
func (d *Driver) chooseAccel(l *session.Link, want string) (string, error) {
	h := host{local: isLocal(d.session.URI), platform: d.platform}
	emulator, refused := d.jails.Emulator()
	for _, kind := range []string{accelQEMU, accelKVM} {
		// Rejected: GetCapabilities, which starts the emulators of every architecture.
		if _, err := l.Conn.GetDomainCapabilities(emulator, h.Arch, h.Machine, kind, 0); err != nil {
			refused = errors.Join(refused, err)
		} else {
			h.offered = append(h.offered, kind)
		}
	}
	if len(h.offered) == 0 {
		return "", fmt.Errorf("libvirt cannot run %s machines here: %w; is %s installed? scripts/setup installs it", h.Arch, refused, h.emulator)
	}
	if h.local {
		// A file that cannot be read counts as an empty one.
		h.cpuinfo, _ = os.ReadFile("/proc/cpuinfo")
		h.kvm = d.qemu.openKVM()
	} else if d.there != nil {
		h.cpuinfo = d.there.CPUInfo
	}
	accel, why, err := h.choose(want)
	if err == nil && accel != accelKVM {
		d.log.Warn().Str("because", why).Msg("machines are emulated, which is slow: no KVM")
	}
	return accel, err
}

// isLocal reports whether uri is a libvirt on this machine.
func isLocal(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && u.Host == ""
}

// firmware returns the path of qboot if it is installed: qboot starts a PC's kernel 0.2 s sooner than SeaBIOS. An empty
// path means QEMU's own firmware, or none.
func (p platform) firmware(uri string) string {
	const qboot = "/usr/share/qemu/qboot.rom"
	if _, err := os.Stat(qboot); err != nil || !isLocal(uri) || !p.PC() {
		return ""
	}
	return qboot
}
