package libvirt

import (
	"io"
	"os"
	"strings"
	"time"

	"libvirt.org/go/libvirt"
)

const (
	// What a machine said before its end is read within this.
	drainLimit = 2 * time.Second

	// What is kept of a console for people.
	consoleBytes = 16 << 10
	consoleLines = 20
)

// ending is how libvirt says that a machine ended.
type ending struct {
	event  libvirt.DomainEventType
	detail int
}

// explain says in one line for people why a machine ended, from the guest's
// own word if there was one, and whether that is more than a power-off.
func (e ending) explain(failed string, console []string) (detail string, abnormal bool) {
	if failed != "" {
		return "the guest cannot go on: " + oneLine(failed), true
	}
	if p := panicLine(console); p != "" {
		return "the guest's kernel panicked: " + p, true
	}
	if e.event == libvirt.DOMAIN_EVENT_CRASHED {
		return "the guest crashed", true
	}
	switch libvirt.DomainEventStoppedDetailType(e.detail) {
	case libvirt.DOMAIN_EVENT_STOPPED_SHUTDOWN:
		return "it powered off", false
	case libvirt.DOMAIN_EVENT_STOPPED_DESTROYED:
		return "it was stopped", false
	case libvirt.DOMAIN_EVENT_STOPPED_CRASHED, libvirt.DOMAIN_EVENT_STOPPED_FAILED:
		return "QEMU ended unexpectedly", true
	default:
		return "it ended", true
	}
}

const panicWords = "Kernel panic - not syncing: "

// panicLine finds a kernel's last words.
func panicLine(console []string) string {
	for _, l := range console {
		if _, why, ok := strings.Cut(l, panicWords); ok {
			return oneLine(why)
		}
	}
	return ""
}

func oneLine(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	return cut(strings.TrimSpace(s))
}

// consoleTail returns the last telling lines of a console's log, or none.
func consoleTail(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	tail, err := io.ReadAll(io.NewSectionReader(f, max(0, size-consoleBytes), consoleBytes))
	if err != nil {
		return nil
	}
	return lastLines(string(tail))
}

func lastLines(text string) []string {
	var lines []string
	for l := range strings.Lines(text) {
		if l = strings.TrimRight(l, "\r\n"); strings.TrimSpace(l) != "" {
			lines = append(lines, l)
		}
	}
	from := max(0, len(lines)-consoleLines)
	// A panic says more with its first line than with the last ones of its
	// trace of calls.
	for i, l := range lines[:from] {
		if strings.Contains(l, panicWords) {
			return lines[i : i+consoleLines]
		}
	}
	return lines[from:]
}
