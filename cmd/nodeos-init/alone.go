package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// A machine that has booted from a disk of its own has no gitd beside it: the parts of the image are partitions, one of
// which has the message that starts the app, and what this process has to say goes to the console.

// diskID is the identity of the disk of its own that this machine has booted from, or "". The kernel puts it into the
// environment, from its command line, on which nothing from the app is.
func diskID() string { return os.Getenv(guest.DiskVariable) }

// partitionByName looks through /sys/class/block, or a copy of it, for the partition called name.
func partitionByName(block fs.FS, name string) (device string, err error) {
	files, err := fs.Glob(block, "*/uevent")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		b, err := fs.ReadFile(block, f)
		if err != nil {
			continue // the device is being removed
		}
		for line := range strings.Lines(string(b)) {
			if strings.TrimSpace(line) == "PARTNAME="+name {
				return path.Dir(f), nil
			}
		}
	}
	return "", fmt.Errorf("partition %q: %w", name, errNoDevice)
}

// connect opens what this process gets its messages from, and begins to send its own.
func connect(out *outbox) (io.Reader, error) {
	if diskID() == "" {
		p, err := openPort(guest.Port)
		if err == nil {
			go out.send(p)
		}
		return p, err
	}
	go out.show(os.Stdout)
	dev, err := waitDisk(guest.DiskStart)
	if err != nil {
		return nil, err
	}
	return os.Open(dev)
}

// show writes what people want to know to w.
func (o *outbox) show(w io.Writer) {
	for {
		if line := shown(o.next()); line != "" {
			fmt.Fprintln(w, line)
		}
	}
}

// shown is a message as people read it; "": it is not for them.
func shown(m guest.Message) string {
	const own = "nodeos-init: "
	switch m.Kind {
	case guest.KindLog:
		if m.Log.Stream == "init" {
			return own + m.Log.Line
		}
		return m.Log.Line
	case guest.KindListening:
		return own + "the app listens"
	case guest.KindMisplaced:
		return own + "the app listens on " + m.Misplaced.Address + ", where no connections can be led"
	case guest.KindExited:
		return own + "the app has ended: " + m.Exited.Reason
	}
	return ""
}
