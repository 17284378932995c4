// Package guest is the conversation between gitd and nodeos-init, the first
// process of a NodeOS machine.
//
// It owns the messages and their encoding: one JSON object per line, so that
// either side can find the next message after a lost connection. It does not
// own what is done about a message, nor the channel they travel on (a
// virtio-serial port named Port).
package guest

import (
	"fmt"
	"net/netip"
	"time"
)

// Port is the name of the virtio-serial port.
const Port = "org.nodeos.ctl.0"

// Version of the messages. Each side skips a message of another version.
//
// It changes only when a message changes its meaning. New kinds and fields do not change it: either side ignores those
// that it does not know, and does not expect what the other has not announced (Booted.BeatMillis, Log.Seq). So a newer
// gitd understands a machine that an older one has booted. A machine with another version gives no answer that gitd
// understands: gitd finds it hung and replaces it.
const Version = 1

// BeatPeriod is how often a guest shows that it is alive, and StatsPeriod how
// often it says what it uses.
const (
	BeatPeriod  = 5 * time.Second
	StatsPeriod = 10 * time.Second
)

// MaxMessage is the longest encoded message, newline included, in bytes.
// Longer ones are refused by the writer and skipped by the reader.
const MaxMessage = 256 << 10

// MaxLine is the longest line of app output in one message, in bytes.
const MaxLine = 16 << 10

// Kind names a message.
type Kind string

// Host → guest.
const (
	KindHello Kind = "hello" // the host has (re)connected: report your state, and what was not acknowledged
	KindStart Kind = "start" // start the app; once
	KindStop  Kind = "stop"  // end the app, then power off
	KindTime  Kind = "time"  // the host's clock: the guest's is wrong
	KindAck   Kind = "ack"   // lines up to this one have arrived

	KindInput  Kind = "input"  // bytes for the standard input of an attached task
	KindSignal Kind = "signal" // for a task's processes
	KindResize Kind = "resize" // its terminal has another size
)

// KindRoom goes both ways: who receives the bytes of an attached task has room for so many more.
const KindRoom Kind = "room"

// KindFreeze goes both ways: the host asks, and the guest answers with the same ID.
const KindFreeze Kind = "freeze"

// Guest → host.
const (
	KindBooted    Kind = "booted"    // init runs, disks are mounted; sent at start and after hello
	KindListening Kind = "listening" // the app accepts connections that come for its port
	KindMisplaced Kind = "misplaced" // the app has settled where the guest leads no connections to
	KindExited    Kind = "exited"    // the app's process ended
	KindLog       Kind = "log"       // a line of output
	KindBeat      Kind = "beat"      // init is alive; every BeatPeriod
	KindStats     Kind = "stats"     // what the machine uses; every StatsPeriod and after hello
	KindFailed    Kind = "failed"    // init cannot go on; it powers off
	KindOutput    Kind = "output"    // bytes that an attached task has written
)

// Message is one line on the channel. Of the pointers, only the one that
// belongs to Kind is set.
type Message struct {
	V         int        `json:"v"`
	Kind      Kind       `json:"kind"`
	Start     *Start     `json:"start,omitempty"`
	Stop      *Stop      `json:"stop,omitempty"`
	Time      *Clock     `json:"time,omitempty"`
	Ack       *Ack       `json:"ack,omitempty"`
	Booted    *Booted    `json:"booted,omitempty"`
	Listening *Listening `json:"listening,omitempty"` // nil: an older guest, or one that was asked again
	Misplaced *Misplaced `json:"misplaced,omitempty"`
	Exited    *Exited    `json:"exited,omitempty"`
	Log       *Log       `json:"log,omitempty"`
	Beat      *Clock     `json:"beat,omitempty"`
	Stats     *Stats     `json:"stats,omitempty"`
	Failed    string     `json:"failed,omitempty"`
	Input     *Input     `json:"input,omitempty"`
	Output    *Output    `json:"output,omitempty"`
	Room      *Room      `json:"room,omitempty"`
	Signal    *Signal    `json:"signal,omitempty"`
	Resize    *Size      `json:"resize,omitempty"`
	Freeze    *Freeze    `json:"freeze,omitempty"`
}

// Start is everything the guest must know; nothing else reaches it. Env may
// hold secrets.
type Start struct {
	Args     []string `json:"args"` // argv; Args[0] is found in the image
	Env      []string `json:"env"`  // "NAME=value", complete
	Port     int      `json:"port"` // where the app must listen
	Hostname string   `json:"hostname"`
	Network  Network  `json:"network"`
	Mounts   []Mount  `json:"mounts,omitempty"`
	UnixNano int64    `json:"unix_nano"` // the host's clock; 0: the machine has one of its own
	// Alone says that no gitd is there, which would make another machine: the app starts again however it has ended.
	Alone bool `json:"alone,omitempty"`
	// Steps are set instead of Args where the start is more than one command in AppDir. The first is run, and then
	// those that it leads to; the app has ended when there is no next one.
	Steps []Step `json:"steps,omitempty"`
	Task  *Task  `json:"task,omitempty"` // nil: a server
	// Disks are those of the image, by their serials, that the slots of a spare machine have become.
	Disks []string `json:"disks,omitempty"`
}

// Step is one command of a start.
type Step struct {
	Name string   `json:"name"`          // for people, without the values of variables
	Args []string `json:"args"`          // as Start.Args
	Env  []string `json:"env,omitempty"` // in addition to Start.Env, which it overrides
	Dir  string   `json:"dir,omitempty"` // below AppDir
	OK   int      `json:"ok"`            // the index of the next step after exit code 0
	Fail int      `json:"fail"`          // the same after another end
}

// Mount is a writable disk with an ext4 file system, for the app alone.
type Mount struct {
	Serial string `json:"serial"` // of the disk
	Path   string `json:"path"`   // absolute; missing folders are made
}

// Network is the address of the guest's one interface. Addresses are in CIDR
// form; empty fields are left unset.
type Network struct {
	Address  string   `json:"address,omitempty"` // "10.0.2.15/24"
	Gateway  string   `json:"gateway,omitempty"` // "10.0.2.2"
	Address6 string   `json:"address6,omitempty"`
	Gateway6 string   `json:"gateway6,omitempty"`
	DNS      []string `json:"dns,omitempty"`
	DHCP     bool     `json:"dhcp,omitempty"` // the guest asks the network for all of this
}

// Stop asks the app to end: SIGTERM, then after GraceMillis SIGKILL.
type Stop struct {
	GraceMillis int `json:"grace_ms"`
}

// Clock is the sender's time of day.
type Clock struct {
	UnixNano int64 `json:"unix_nano"`
}

// Ack names the last line that has arrived. The guest need not keep it, or the lines before it, for the next gitd that
// connects.
type Ack struct {
	Seq uint64 `json:"seq"`
}

// Booted tells where the time went, in milliseconds since the kernel started.
type Booted struct {
	KernelMillis int    `json:"kernel_ms"`         // until init ran
	InitMillis   int    `json:"init_ms"`           // until it waits for what it is: the disks are mounted
	Kernel       string `json:"kernel"`            // release, as uname -r prints it
	BeatMillis   int    `json:"beat_ms,omitempty"` // the period of its beats; 0: it sends none
	Freezes      bool   `json:"freezes,omitempty"` // it answers Freeze
	Spare        bool   `json:"spare,omitempty"`   // it has no app: Node waits for one
}

// Freeze asks the guest to write out what the app has written to its volumes, and then to let nobody write to them for
// so long at most. Without a time, writes go on. So the host can copy a disk as it is at one moment.
type Freeze struct {
	ID     int    `json:"id"`
	Millis int    `json:"ms,omitempty"`
	Error  string `json:"error,omitempty"` // of an answer; to the end of a freeze: nothing was held any more
}

// Listening tells where the time after Booted went, in milliseconds since the kernel started.
type Listening struct {
	StartMillis  int `json:"start_ms"`          // until the app's program was started
	CodeMillis   int `json:"code_ms,omitempty"` // until it opened the first file of the app; 0: not seen
	ListenMillis int `json:"listen_ms"`         // until it accepted connections
	// BeginMillis is when a spare machine was told what it is; 0: the machine was none.
	BeginMillis int `json:"begin_ms,omitempty"`
	// Address is where the app listens, if that is not its port: the guest leads connections there.
	Address string `json:"address,omitempty"` // "127.0.0.1:3000"
}

// LedTo says that an app which was to listen on port listens at where, and is served there; and what to do about it.
func LedTo(where netip.AddrPort, port int) string {
	if int(where.Port()) == port {
		return fmt.Sprintf("the app listens on %s, for itself only: requests are led there; "+
			"better listen on all addresses (0.0.0.0 or ::)", where)
	}
	return fmt.Sprintf("the app listens on %s and not on port %d: requests are led there; "+
		"better listen on process.env.PORT, on all addresses (0.0.0.0 or ::)", where, port)
}

// Misplaced tells where an app listens that the host cannot reach.
type Misplaced struct {
	Address string `json:"address"` // "127.0.0.1:3000"
}

// Exited tells how the app's process ended.
type Exited struct {
	Code     int    `json:"code"`             // exit code; -1 when ended by a signal
	Signal   string `json:"signal,omitempty"` // e.g. "SIGKILL"
	Reason   string `json:"reason"`           // one line for people
	Restarts int    `json:"restarts"`         // how often it was started again before
	// OutOfMemory says that the kernel ended a process of the app because the machine's memory was used up.
	OutOfMemory bool `json:"out_of_memory,omitempty"`
}

// Log is one line of output, without its newline.
type Log struct {
	Seq      uint64 `json:"seq,omitempty"` // 1, 2, …; 0: an older guest, which keeps no lines
	Stream   string `json:"stream"`        // "stdout", "stderr" or "init"
	Line     string `json:"line"`
	UnixNano int64  `json:"unix_nano"`
	Dropped  int    `json:"dropped,omitempty"` // lines lost before this one
}

// Stats is what the machine uses. Sizes are in bytes. The app is all processes except init and the kernel's own.
type Stats struct {
	MemoryTotal  int64   `json:"memory_total"`
	MemoryUsed   int64   `json:"memory_used"` // total minus what is available
	AppRSS       int64   `json:"app_rss"`
	InitRSS      int64   `json:"init_rss"` // of init itself
	CPUMillis    int64   `json:"cpu_ms"`   // processor time of the app since its start
	Load         float64 `json:"load"`     // average of a minute
	OpenFiles    int     `json:"open_files"`
	Processes    int     `json:"processes"`
	UptimeMillis int64   `json:"uptime_ms"`
	Dropped      int64   `json:"dropped"` // lines lost since the boot
	// Refaults is how much had to be read from the disks again since the boot, because it had been dropped for want of
	// memory.
	Refaults int64 `json:"refaults,omitempty"`
}
