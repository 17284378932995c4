package core

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/units"
)

// The least and the most that one volume may hold, in bytes.
const (
	MinVolume = 64 << 20
	MaxVolume = 1 << 40
)

// Volume is a disk of an app that outlives its machines: what the app writes
// there is there after the next deployment. No deployment removes one.
type Volume struct {
	ID      string // names the disk's file; never changes, whatever becomes of the app's name
	App     string
	Name    string // unique in the app
	Mount   string // where the app finds it
	Size    int64  // bytes
	Created time.Time
}

// Has reports whether m, which holds the volumes of its app, may have v among its disks. A machine gets its disks when
// it starts, so it has no volume that was made after its start.
func (m Machine) Has(v Volume) bool { return !m.Started.Before(v.Created) }

// volumeName is short because the guest finds the disk by a serial that holds it: guest.VolumeSerial.
var volumeName = regexp.MustCompile(`^[a-z](?:[a-z0-9-]{0,14}[a-z0-9])?$`)

// mountPath allows only paths that need no quoting, in the guest and in a terminal.
var mountPath = regexp.MustCompile(`^(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,62}){1,8}$`)

// CheckVolume says why v cannot be added to an app that has others, or nil.
func CheckVolume(v Volume, others []Volume) error {
	if !volumeName.MatchString(v.Name) {
		return Reject(fmt.Sprintf("%.40q is no name for a volume", v.Name), "use 1 to 16 lower-case letters, digits and '-', starting with a letter")
	}
	if v.Size < MinVolume || v.Size > MaxVolume {
		return Reject(fmt.Sprintf("a volume of %s is out of range", units.Bytes(v.Size)),
			fmt.Sprintf("one has from %s to %s", units.Bytes(MinVolume), units.Bytes(MaxVolume)))
	}
	if err := checkMount(v.Mount); err != nil {
		return err
	}
	if len(others) >= guest.MaxVolumes {
		return Reject(fmt.Sprintf("%s has %d volumes already, and may have no more", v.App, len(others)), "")
	}
	for _, o := range others {
		switch {
		case o.Name == v.Name:
			return Reject(fmt.Sprintf("%s has a volume %q already, at %s", v.App, v.Name, o.Mount), "choose another name")
		case o.Mount == v.Mount || below(o.Mount, v.Mount) || below(v.Mount, o.Mount):
			return Reject(fmt.Sprintf("%s would hide the volume %q at %s, or be hidden by it", v.Mount, o.Name, o.Mount), "mount it elsewhere")
		}
	}
	return nil
}

// checkMount allows only the paths where a machine has a place for volumes: everything else there is read-only, or
// holds the machine's own files.
func checkMount(p string) error {
	hint := "a volume can be at /data, or anywhere below /app, for example --mount /app/uploads"
	switch {
	case len(p) > 200 || !mountPath.MatchString(p) || path.Clean(p) != p:
		return Reject(fmt.Sprintf("%.80q is no path for a volume", p), hint)
	case p == guest.AppDir+"/node_modules" || below(p, guest.AppDir+"/node_modules"):
		return Reject(p+" holds the app's dependencies", hint)
	case p != "/data" && !below(p, guest.AppDir):
		return Reject("there is no place for a volume at "+p, hint)
	}
	return nil
}

func below(p, dir string) bool { return strings.HasPrefix(p, dir+"/") }
