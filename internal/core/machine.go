package core

import (
	"context"
	"net"
	"strings"
	"time"
)

// Machine is one running VM of a release.
type Machine struct {
	ID      string // also the libvirt domain's name, e.g. "shop-v3-9f2c"
	App     string
	Release int
	Process ProcessID
	Addr    string // host:port at which the host reaches the app
	Started time.Time

	Resources Resources // that it has; zero where that was not asked
	Kept      bool      // it was kept, paused, and goes on
}

// Kept is a machine that a deployment has replaced, and that stays for a rollback, paused.
type Kept struct {
	Machine           // whose Release is the one that it served last
	Until   time.Time // then it ends, if not before
}

// MachineSpec is what a driver of machines (fleet.Driver) needs to boot one. Env may hold secrets: it travels to the
// guest over the control channel and is written nowhere.
type MachineSpec struct {
	ID       string
	App      string
	Release  int
	Process  ProcessID
	Kernel   string // host path
	Initrd   string // host path; empty: none
	Disks    []Disk // in order; each is read-only unless it is Writable
	Mounts   []Mount
	Hostname string
	Args     []string          // argv of the app, expanded; empty: Steps has them
	Steps    []Process         // for a start that is more than one command in the app's folder
	Env      map[string]string // complete environment, PORT included
	Port     int               // where the app must listen in the guest; 0 for a task, which nobody connects to
	Task     *Task             // nil: it is a server
	Kept     bool              // a machine that was kept may become it
	Egress   Egress            // what it may reach beside the public internet, and how fast it may send
	Share
}

// Disk is one disk image. The guest finds it by its serial.
type Disk struct {
	Serial   string // guest.DiskBase, DiskApp, DiskDeps, or guest.VolumeSerial
	Path     string // host path
	Writable bool   // true for a volume: its file belongs to one machine at a time
}

// Mount says where the app finds a writable disk.
type Mount struct {
	Serial string // of a Disk; its file system is ext4
	Path   string // absolute, in the guest; made when it is missing
}

// EventKind tells what happened in or to a machine.
type EventKind string

// What a driver reports of a machine. The fields of Event in brackets are set.
const (
	EventBooted    EventKind = "booted"    // init runs and has its disks (Detail: the kernel and the time so far; Boot)
	EventListening EventKind = "listening" // the app accepts connections (Detail: where, if not on its port; Boot)
	EventMisplaced EventKind = "misplaced" // the app has settled where the host cannot reach it (Detail: the address)
	EventExited    EventKind = "exited"    // the app's process ended (Detail says how; Code, Signal)
	EventLog       EventKind = "log"       // one line of output (Stream, Line)
	EventOutput    EventKind = "output"    // bytes that an attached task has written (Stream, Data)
	EventRoom      EventKind = "room"      // an attached task takes more bytes of input (Bytes)
	EventStats     EventKind = "stats"     // what the machine uses, every few seconds (Stats)
	EventUnseen    EventKind = "unseen"    // whether the machine runs is not known from now on (Detail says why)
	EventSeen      EventKind = "seen"      // the opposite of EventUnseen: it runs
	EventHung      EventKind = "hung"      // the guest has been silent for too long (Detail); it must be stopped
	EventGone      EventKind = "gone"      // the machine has ended (Detail says why); this is the last event
)

// Event is one thing that a machine did. Everything in it may come from a hostile guest. The driver cuts Line and
// Detail to 16 KiB and promises nothing more.
type Event struct {
	Kind   EventKind
	Time   time.Time
	Stream string // "stdout", "stderr" (the app), "init" or "console"
	Line   string
	Detail string
	Boot   *BootTimes // of EventBooted and EventListening; nil: not known
	Stats  *Stats     // of EventStats

	OutOfMemory bool   // of EventExited: the machine's memory was used up
	Code        int    // of EventExited: the exit code; -1: it was ended by Signal
	Signal      string // "SIGKILL"

	Data  []byte // of EventOutput; it belongs to the watch
	Bytes int    // of EventRoom
}

// BootTimes says where the time of one boot went, from the call of Boot to
// the app's first accepted connection. A phase that is not known (yet) is 0.
type BootTimes struct {
	Host     time.Duration // the driver and QEMU, until the machine's processor runs
	Firmware time.Duration // until the kernel's clock runs: firmware, and unpacking a packed kernel
	Kernel   time.Duration // until init's first instruction
	Init     time.Duration // until init starts the app: modules, disks, network, the host's answer
	Node     time.Duration // until the app's own files are read; 0 where that was not seen
	App      time.Duration // until it listens
}

// Total is the time of all phases together.
func (b BootTimes) Total() time.Duration {
	return b.Host + b.Firmware + b.Kernel + b.Init + b.Node + b.App
}

// String is one line for people: "host 0.91s · kernel 583ms". Phases that are
// not known are left out.
func (b BootTimes) String() string {
	var parts []string
	for _, p := range b.Steps() {
		parts = append(parts, p.Name+" "+p.Took.Round(time.Millisecond).String())
	}
	return strings.Join(parts, " · ")
}

// Steps are the phases that are known, in their order.
func (b BootTimes) Steps() (known []Step) {
	for _, p := range []Step{
		{"host", b.Host}, {"firmware", b.Firmware}, {"kernel", b.Kernel}, {"init", b.Init}, {"node", b.Node}, {"app", b.App},
	} {
		if p.Took > 0 {
			known = append(known, p)
		}
	}
	return known
}

// Stats is what a machine uses, as its guest says.
type Stats struct {
	MemoryTotal int64         // bytes that the guest's kernel has
	MemoryUsed  int64         // bytes that are neither free nor could be freed at once
	AppRSS      int64         // bytes of memory in the app's processes; shared memory counts for each of them
	InitRSS     int64         // bytes of memory in the guest's own first process
	CPU         time.Duration // of processor time since the app's start, all its processes together
	Load        float64       // runnable tasks, averaged over a minute
	OpenFiles   int           // of the app's processes
	Processes   int           // of the app
	Uptime      time.Duration // of the guest's kernel
	Dropped     int64         // lines of output lost since the boot, because more was written than could be sent
	Refaults    int64         // bytes read from the disks again since the boot, for want of memory to keep them
}

// Watch receives a machine's events, in order, one at a time. It must return
// quickly: while it runs, the machine's channel is not read.
type Watch func(Event)

// Exclusive reports whether two machines with this spec cannot run at the same time, because a writable disk belongs to
// one machine only.
func (s MachineSpec) Exclusive() bool {
	for _, d := range s.Disks {
		if d.Writable {
			return true
		}
	}
	return false
}

// MachineDialer returns the DialContext of an http.Transport to one machine, whatever its URLs say. addr is the
// machine's Addr: a unix socket, by its path or as @ and an abstract name, or a TCP port.
func MachineDialer(addr string, timeout time.Duration) func(ctx context.Context, _, _ string) (net.Conn, error) {
	network := "tcp"
	if isUnix(addr) {
		network = "unix"
	}
	d := net.Dialer{Timeout: timeout}
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, network, addr) }
}

func isUnix(addr string) bool { return strings.HasPrefix(addr, "/") || strings.HasPrefix(addr, "@") }
