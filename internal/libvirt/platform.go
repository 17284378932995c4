package libvirt

import (
	"fmt"
	"regexp"
	"runtime"
)

// platform is what a domain depends on besides its machine's spec. Machines have the same kind of processor as their
// host, so this is the one that gitd was compiled for.
type platform struct {
	Arch     string // libvirt's name of it
	Machine  string // QEMU's machine type
	Serial   string // libvirt's type of the serial port
	console  string // the kernel's name of that port
	emulator string // the Debian package
	qemu     string // the program
	timers   []string
	// hardware matches the /proc/cpuinfo of a processor that can virtualise. nil: nothing is to be checked, because
	// Linux has /dev/kvm only on such a processor.
	hardware *regexp.Regexp
}

var platforms = map[string]platform{
	"amd64": {
		Arch: "x86_64", Machine: "q35", Serial: "isa-serial", console: "ttyS0", emulator: "qemu-system-x86", qemu: "/usr/bin/qemu-system-x86_64",
		// nolapic_timer saves the calibration of a timer, 120 ms; on real hardware it would make an idle guest cost
		// more. No gain was seen from mitigations=off, tsc=reliable and rcupdate.rcu_expedited=1.
		//
		// no_timer_check: the kernel waits for ten ticks of its timer to see whether the timer works, and panics if
		// they do not come in time ("IO-APIC + timer doesn't work!"). On a host so busy that QEMU stood still
		// meanwhile, they did not come. Under KVM the kernel leaves this check out.
		timers: []string{"nolapic_timer", "no_timer_check"},
		// A container or a virtual machine may show /dev/kvm without these flags, and then QEMU hangs.
		hardware: regexp.MustCompile(`(?m)^flags\s*:.*\b(vmx|svm)\b`),
	},
	// The kernel is entered without firmware. ACPI would need UEFI here, so it is left out: a device tree tells the
	// kernel what its devices are.
	"arm64": {Arch: "aarch64", Machine: "virt", Serial: "system-serial", console: "ttyAMA0", emulator: "qemu-system-arm", qemu: "/usr/bin/qemu-system-aarch64"},
}

// hostPlatform returns the platform that gitd was compiled for.
func hostPlatform() (platform, error) {
	p, ok := platforms[runtime.GOARCH]
	if !ok {
		return platform{}, fmt.Errorf("gitd has no machines for %s: it runs on amd64 and arm64", runtime.GOARCH)
	}
	return p, nil
}

// PC reports whether machines have a PC's devices.
func (p platform) PC() bool { return p.Arch == "x86_64" }
