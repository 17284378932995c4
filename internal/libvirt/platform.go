package libvirt

import (
	"fmt"
	"regexp"
	"runtime"
)

// platform is what a domain depends on besides its machine's spec: the
// processor that this gitd was compiled for, for machines run on their host's.
type platform struct {
	Arch     string // libvirt's name of it
	Machine  string // QEMU's machine type
	Serial   string // libvirt's type of the serial port
	console  string // the kernel's name of that port
	emulator string // the Debian package
	timers   []string
	// hardware is in /proc/cpuinfo of a processor that virtualises; nil: Linux
	// has /dev/kvm only where it does.
	hardware *regexp.Regexp
}

var platforms = map[string]platform{
	"amd64": {
		Arch: "x86_64", Machine: "q35", Serial: "isa-serial", console: "ttyS0", emulator: "qemu-system-x86",
		// The first saves the calibration of a timer, 120 ms; on real hardware an
		// idle guest would cost more. That mitigations=off, tsc=reliable and
		// rcupdate.rcu_expedited=1 gain anything was not seen.
		//
		// The kernel waits for ten ticks of its timer to see whether that works,
		// and panics if they do not come in time ("IO-APIC + timer doesn't
		// work!"): on a host so busy that QEMU stood still meanwhile, they did
		// not. Under KVM it does not ask.
		timers: []string{"nolapic_timer", "no_timer_check"},
		// A container or a virtual machine may show /dev/kvm without it, and then
		// QEMU hangs.
		hardware: regexp.MustCompile(`(?m)^flags\s*:.*\b(vmx|svm)\b`),
	},
	// Entered without firmware: ACPI, which would need UEFI here, is left out,
	// and the kernel is told of its devices by a device tree.
	"arm64": {Arch: "aarch64", Machine: "virt", Serial: "system-serial", console: "ttyAMA0", emulator: "qemu-system-arm"},
}

// hostPlatform is this program's.
func hostPlatform() (platform, error) {
	p, ok := platforms[runtime.GOARCH]
	if !ok {
		return platform{}, fmt.Errorf("gitd has no machines for %s: it runs on amd64 and arm64", runtime.GOARCH)
	}
	return p, nil
}

// PC reports whether machines have a PC's devices.
func (p platform) PC() bool { return p.Arch == "x86_64" }
