package hibernate

import (
	"encoding/xml"
	"fmt"
	"os"
	"slices"
	"strings"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Serials returns those of the disks of a machine, in their order.
func Serials(dom *libvirt.Domain) (serials []string, err error) {
	text, err := dom.GetXMLDesc(0)
	if err != nil {
		return nil, err
	}
	var is struct {
		Disks []struct {
			Serial string `xml:"serial"`
		} `xml:"devices>disk"`
	}
	if err := xml.Unmarshal([]byte(text), &is); err != nil {
		return nil, err
	}
	for _, d := range is.Disks {
		serials = append(serials, d.Serial)
	}
	return serials, nil
}

// Disks returns disks of an app as a machine had them that had these serials. One that was a spare machine has its
// layers by the names of their slots, and a slot, empty, for the dependencies that its app has not.
func Disks(of []core.Disk, serials []string, empty string) (disks []core.Disk, err error) {
	for _, serial := range serials {
		at := slices.IndexFunc(of, func(d core.Disk) bool { return d.Serial == serial || guest.Slot(d.Serial) == serial })
		switch {
		case at >= 0:
			d := of[at]
			d.Serial = serial
			disks = append(disks, d)
		case serial == guest.Slot(guest.DiskDeps):
			disks = append(disks, core.Disk{Serial: serial, Path: empty})
		default:
			return nil, fmt.Errorf("the app has no disk %q any more", serial)
		}
	}
	return disks, nil
}

// Host says on what machines run: how, by which QEMU, on which processor.
func Host(how, qemu string) string {
	var text strings.Builder
	text.WriteString(how)
	if info, err := os.Stat(qemu); err == nil {
		fmt.Fprintf(&text, " %s %d %d", qemu, info.Size(), info.ModTime().UnixNano())
	}
	cpu, _ := os.ReadFile("/proc/cpuinfo")
	first, _, _ := strings.Cut(string(cpu), "\n\n") // the others are as the first
	for line := range strings.Lines(first) {
		name, _, _ := strings.Cut(line, "\t")
		if slices.Contains([]string{"model name", "flags", "Features", "CPU part"}, strings.TrimSpace(name)) {
			text.WriteString("\n" + line)
		}
	}
	return text.String()
}
