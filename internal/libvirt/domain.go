package libvirt

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"text/template"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/jail"
	"github.com/nodeos-dev/gitd/internal/libvirt/bridge"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/slots"
	"github.com/nodeos-dev/gitd/templates"
)

// namespace is that of gitd's element in a domain's metadata. The number is the version of the element's form.
const namespace = "urn:gitd:machine:1"

// domain is the data for templates/domain.xml.tmpl.
type domain struct {
	Platform  platform
	Type      string // libvirt's: kvm or qemu
	ID        string
	Namespace string
	Owner     string
	App       string
	Release   int
	Door      string // see core.Machine's Addr
	Started   string // RFC 3339
	MemoryMiB int
	CPUs      int
	CPUMode   string

	Firmware      string // empty: QEMU's own
	Kernel        string
	Initrd        string // empty: none
	CommandLine   string
	Disks         []disk
	ChannelName   string
	ChannelSocket string // empty: libvirt chooses
	Console       string
	Plug          *bridge.Plug
	Netdev        string // QEMU's -netdev, without a network of libvirt
	MTU           int
	Emulator      string   // gitd-machine, which starts QEMU
	Walls         []env    // what it must know
	Incoming      string   // QEMU's -incoming; empty: the machine boots
	KeepOwner     bool     // tell libvirt to leave the images' owner alone
	Forgotten     []string // see forgotten
}

// forgotten are capabilities of QEMU that libvirt is told that it has not. With cpu-unavailable-features, libvirt asks
// QEMU for each property of the processor, 400 questions at each boot, to write down what a migration needs: machines
// never migrate.
func forgotten() []string { return []string{"cpu-unavailable-features"} }

// env is a variable of the emulator's environment.
type env struct{ Name, Value string }

type disk struct {
	core.Disk
	Target string // vda, vdb, …
	Slot   int
}

func (d *Driver) domain(spec core.MachineSpec, place jails.Place, started time.Time) domain {
	dom := domain{
		Platform: d.platform, Type: d.accel, ID: spec.ID, Namespace: namespace, Owner: string(d.owner),
		App: spec.App, Release: spec.Release, Door: place.Door, Started: started.UTC().Format(time.RFC3339),
		MemoryMiB: spec.MemoryMiB, CPUs: spec.CPUs, CPUMode: cpuMode(d.accel),
		Firmware: d.firmware, Kernel: spec.Kernel, Initrd: spec.Initrd,
		CommandLine: commandLine(d.platform, d.accel, spec.Initrd != ""),
		ChannelName: guest.Port, ChannelSocket: d.channelSocket(spec.ID),
		Console: d.console(spec.ID).Path, Netdev: jail.Netdev(), MTU: wire.MTU,
		Emulator: place.Emulator, Walls: []env{{jail.EnvSpec, place.Spec}},
		// qemuConf says the same to the embedded driver. As an ordinary user, that driver does not change owners at
		// all, and refuses the label.
		KeepOwner: !d.embedded,
		Forgotten: forgotten(),
	}
	for i, disk := range diskTargets(spec.Disks) {
		disk.Slot = slots.PCI(i)
		dom.Disks = append(dom.Disks, disk)
	}
	return dom
}

func diskTargets(disks []core.Disk) []disk {
	all := make([]disk, len(disks))
	for i, d := range disks {
		all[i] = disk{Disk: d, Target: "vd" + string(rune('a'+i))}
	}
	return all
}

func cpuMode(accel string) string {
	if accel == accelKVM {
		return "host-passthrough"
	}
	return "maximum"
}

// commandLine returns the kernel's command line. Nothing from the app is on it.
func commandLine(p platform, accel string, stock bool) string {
	// The console is the serial port and not hvc0: it shows a panic before the modules of a stock kernel are loaded,
	// and costs no time.
	args := []string{"console=" + p.console, "quiet", "panic=-1"}
	if stock {
		// Debian's kernel tests its cryptography at each boot, which takes 0.2 s when it is emulated.
		args = append(args, "cryptomgr.notests")
	} else {
		args = append(args, "root=/dev/vda", "rootfstype=erofs", "ro")
	}
	if accel != accelKVM {
		args = append(args, p.timers...)
	}
	return strings.Join(args, " ")
}

func (dom domain) xml() (string, error) {
	t, err := template.New("domain.xml.tmpl").Funcs(template.FuncMap{"xml": escape}).ParseFS(templates.FS, "domain.xml.tmpl")
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, dom); err != nil {
		return "", fmt.Errorf("domain XML: %w", err)
	}
	return b.String(), nil
}

// escape makes any string safe between quotes and between tags. Characters
// that XML cannot hold become U+FFFD.
func escape(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}
