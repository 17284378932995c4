package core

import "time"

// Sleep is what the ledger knows of the sleep of an app.
type Sleep struct {
	App   string
	After *time.Duration // without a request, it falls asleep; 0: never; nil: nobody has said it
	Bed   *Bed           // nil: it is awake
}

// Bed is the one machine of an app that sleeps, as it was saved.
type Bed struct {
	Machine string // its id, by which the files are called that it was saved to
	Release int
	Serials []string // of its disks, in their order
	Size    int64    // of the file, in bytes
	Since   time.Time
	Key     []byte `json:"-"` // that opens the file; empty: it is not known any more
}

// Sleeping is the folder of what machines that sleep were saved to.
func Sleeping(d StateDir) string { return d.join("sleep") }
