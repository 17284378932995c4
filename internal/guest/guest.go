// Package guest is the conversation between gitd and nodeos-init, the first
// process of a NodeOS machine.
//
// It owns the messages and their encoding: one JSON object per line, so that
// either side can find the next message after a lost connection. It does not
// own what is done about a message, nor the channel they travel on (a
// virtio-serial port named Port).
package guest

// Port is the name of the virtio-serial port.
const Port = "org.nodeos.ctl.0"

// Version of the messages. Each side refuses a message of another version.
const Version = 1

// MaxMessage is the longest encoded message, newline included, in bytes.
// Longer ones are refused by the writer and skipped by the reader.
const MaxMessage = 256 << 10

// MaxLine is the longest line of app output in one message, in bytes.
const MaxLine = 16 << 10

// Kind names a message.
type Kind string

// Host → guest.
const (
	KindHello Kind = "hello" // the host has (re)connected: report your state
	KindStart Kind = "start" // start the app; once
	KindStop  Kind = "stop"  // end the app, then power off
)

// Guest → host.
const (
	KindBooted    Kind = "booted"    // init runs, disks are mounted; sent at start and after hello
	KindListening Kind = "listening" // the app accepts connections on its port
	KindExited    Kind = "exited"    // the app's process ended
	KindLog       Kind = "log"       // a line of output
	KindFailed    Kind = "failed"    // init cannot go on; it powers off
)

// Message is one line on the channel. Of the pointers, only the one that
// belongs to Kind is set.
type Message struct {
	V      int     `json:"v"`
	Kind   Kind    `json:"kind"`
	Start  *Start  `json:"start,omitempty"`
	Stop   *Stop   `json:"stop,omitempty"`
	Booted *Booted `json:"booted,omitempty"`
	Exited *Exited `json:"exited,omitempty"`
	Log    *Log    `json:"log,omitempty"`
	Failed string  `json:"failed,omitempty"`
}

// Start is everything the guest must know; nothing else reaches it. Env may
// hold secrets.
type Start struct {
	Args     []string `json:"args"` // argv; Args[0] is found in the image
	Env      []string `json:"env"`  // "NAME=value", complete
	Port     int      `json:"port"` // where the app must listen
	Hostname string   `json:"hostname"`
	Network  Network  `json:"network"`
	UnixNano int64    `json:"unix_nano"` // the host's clock
}

// Network is the address of the guest's one interface. Addresses are in CIDR
// form; empty fields are left unset.
type Network struct {
	Address  string   `json:"address,omitempty"` // "10.0.2.15/24"
	Gateway  string   `json:"gateway,omitempty"` // "10.0.2.2"
	Address6 string   `json:"address6,omitempty"`
	Gateway6 string   `json:"gateway6,omitempty"`
	DNS      []string `json:"dns,omitempty"`
	// Closed are IPv4 prefixes to which the guest opens no connections, DNS to
	// the servers above excepted: where the host's own services would answer.
	Closed []string `json:"closed,omitempty"`
}

// Stop asks the app to end: SIGTERM, then after GraceMillis SIGKILL.
type Stop struct {
	GraceMillis int `json:"grace_ms"`
}

// Booted tells where the time went, in milliseconds since the kernel started.
type Booted struct {
	KernelMillis int    `json:"kernel_ms"` // until init ran
	InitMillis   int    `json:"init_ms"`   // until the disks were mounted
	Kernel       string `json:"kernel"`    // release, as uname -r prints it
}

// Exited tells how the app's process ended.
type Exited struct {
	Code     int    `json:"code"`             // exit code; -1 when ended by a signal
	Signal   string `json:"signal,omitempty"` // e.g. "SIGKILL"
	Reason   string `json:"reason"`           // one line for people
	Restarts int    `json:"restarts"`         // how often it was started again before
}

// Log is one line of output, without its newline.
type Log struct {
	Stream   string `json:"stream"` // "stdout", "stderr" or "init"
	Line     string `json:"line"`
	UnixNano int64  `json:"unix_nano"`
	Dropped  int    `json:"dropped,omitempty"` // lines lost before this one
}
