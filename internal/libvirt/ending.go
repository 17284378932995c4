package libvirt

import (
	"io"
	"os"
	"strings"
	"time"

	"libvirt.org/go/libvirt"
)

const (
	// drainLimit is how long the channel of a machine that is gone is still read.
	drainLimit = 2 * time.Second

	// The end of a console's log that is shown to people.
	consoleBytes = 16 << 10
	consoleLines = 20
)

// ending is how libvirt says that a machine ended.
type ending struct {
	event  libvirt.DomainEventType
	detail int
	unseen string // what is known of an end that libvirt did not report; empty: it did
}

// explain says in one line for people why a machine ended. It prefers the guest's own words (failed, or a panic on the
// console). abnormal is false if the machine powered off or was stopped.
func (e ending) explain(failed string, console []string) (detail string, abnormal bool) {
	if failed != "" {
		return "the guest cannot go on: " + oneLine(failed), true
	}
	if p := panicLine(console); p != "" {
		return "the guest's kernel panicked: " + p, true
	}
	if e.unseen != "" {
		return e.unseen, true
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

// panicLine returns the reason of a kernel panic on the console, or an empty text.
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

// consoleTail returns the last lines of a console's log that matter to people, or none.
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
	// The first line of a panic says more than the last lines of its call trace.
	for i, l := range lines[:from] {
		if strings.Contains(l, panicWords) {
			return lines[i : i+consoleLines]
		}
	}
	return lines[from:]
}
