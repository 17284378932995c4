package deploy

import "time"

// Machine is one running VM of a release.
type Machine struct {
	ID      string // also the libvirt domain's name, e.g. "shop-v3-9f2c"
	App     string
	Release int
	Addr    string // host:port at which the host reaches the app
	Started time.Time
}

// MachineSpec is what a Driver needs to boot a machine. Env may hold secrets:
// it travels to the guest over the control channel and is written nowhere.
type MachineSpec struct {
	ID       string
	App      string
	Release  int
	Kernel   string // host path
	Initrd   string // host path; empty: none
	Disks    []Disk // in order; all read-only
	Hostname string
	Args     []string          // argv of the app, expanded
	Env      map[string]string // complete environment, PORT included
	Port     int               // where the app must listen in the guest
	Resources
}

// Disk is one read-only disk image. The guest finds it by its serial.
type Disk struct {
	Serial string // "base", "deps" or "app"
	Path   string // host path
}

// EventKind tells what happened in or to a machine.
type EventKind string

// What a driver reports of a machine.
const (
	EventBooted    EventKind = "booted"    // init runs and has its disks; Detail: time spent in the kernel and init
	EventListening EventKind = "listening" // the app accepts connections on Port
	EventExited    EventKind = "exited"    // the app's process ended; Detail says how
	EventLog       EventKind = "log"       // a line of output; Stream and Line
	EventGone      EventKind = "gone"      // the machine has ended; the last event. Detail says why
)

// Event is one thing a machine did. Everything in it comes from the guest and
// is hostile: lines are cut to 16 KiB by the driver, nothing more is promised.
type Event struct {
	Kind   EventKind
	Time   time.Time
	Stream string // "stdout", "stderr" (the app), "init" or "console"
	Line   string
	Detail string
}

// Watch receives a machine's events, in order, from one goroutine. It must
// return quickly: while it runs, the machine's channel is not read.
type Watch func(Event)
