package core

import (
	"errors"
	"fmt"
	"regexp"
)

// AppLabel is what the ledger knows of an app, as it stands in the app's repository for the day on which the ledger is
// lost. It holds no secret: config values are not part of it, and neither are people.
type AppLabel struct {
	App       App
	Resources Resources // set by hand
	Domains   []string  // beside the app's own name
	Releases  []Release // the live one, and those with an image that is there; the newest first
	Machines  []Machine
}

// LabelFiles are the paths of the labels in a state folder.
type LabelFiles StateDir

// App is in the app's repository, Volume beside the file of the volume.

func (d LabelFiles) App(name string) string {
	return StateDir(d).join("repos", name+".git", "gitd.json")
}
func (d LabelFiles) Volume(id string) string { return StateDir(d).join("volumes", id+".json") }

// What may become the name of a file or of a machine.
var (
	digest    = regexp.MustCompile(`^[0-9a-f]{1,64}$`)
	baseID    = digest
	machineID = regexp.MustCompile(`^[a-z0-9-]{1,80}$`)
	volumeID  = machineID
)

// Newest is the version of the newest release; 0: there is none.
func (l AppLabel) Newest() int {
	if len(l.Releases) == 0 {
		return 0
	}
	return l.Releases[0].Version
}

// Live is the version of the release that is live; 0: none is.
func (l AppLabel) Live() int {
	for _, r := range l.Releases {
		if r.State == Live {
			return r.Version
		}
	}
	return 0
}

// Check says why l cannot be the label of the app with this name, or nil. A label is a file, and files are damaged.
func (l AppLabel) Check(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if l.App.Name != name || l.App.Created.IsZero() {
		return fmt.Errorf("it is the label of %.40q", l.App.Name)
	}
	for name, n := range l.App.Scale {
		if CheckProcessType(name) != nil || n < 0 || n > MaxScale {
			return fmt.Errorf("%d machines of %.40q is no scale", n, name)
		}
	}
	if dir := l.App.Dir; dir != "" {
		if clean, err := CleanFolder(dir); err != nil || clean != dir {
			return fmt.Errorf("%.80q is no folder of it", dir)
		}
	}
	for i, r := range l.Releases {
		if err := r.checkLabelled(name); err != nil {
			return err
		}
		if i > 0 && r.Version >= l.Releases[i-1].Version {
			return fmt.Errorf("v%d does not come after v%d", r.Version, l.Releases[i-1].Version)
		}
		if r.State == Live && r.Version != l.Live() {
			return fmt.Errorf("v%d and v%d are live", r.Version, l.Live())
		}
	}
	for _, m := range l.Machines {
		if m.App != name || !machineID.MatchString(m.ID) {
			return fmt.Errorf("%.80q is no machine of it", m.ID)
		}
	}
	return nil
}

// checkLabelled says why r cannot be a release of app that was live once, or nil.
func (r Release) checkLabelled(app string) error {
	switch {
	case r.App != app || r.Version < 1:
		return fmt.Errorf("v%d of %.40q is no release of it", r.Version, r.App)
	case r.State != Live && r.State != Draining && r.State != Retired:
		return fmt.Errorf("v%d is %.20q", r.Version, r.State)
	case r.Trigger == "" || r.Created.IsZero():
		return fmt.Errorf("v%d was made by nothing, or at no time", r.Version)
	}
	if err := CheckObjectName(r.Commit); err != nil {
		return err
	}
	return r.Manifest.check()
}

func (m Manifest) check() error {
	if !baseID.MatchString(m.Base) {
		return fmt.Errorf("%.64q is no base", m.Base)
	}
	for _, l := range m.Layers() {
		if l.Digest != "" && !digest.MatchString(l.Digest) {
			return fmt.Errorf("%.64q is no digest", l.Digest)
		}
	}
	for _, t := range m.Types {
		if err := CheckProcessType(t.Name); err != nil {
			return err
		}
	}
	return nil
}

// CheckLabel says why v cannot be the volume with this id, as its label says, or nil.
func (v Volume) CheckLabel(id string) error {
	if v.ID != id || !volumeID.MatchString(id) {
		return fmt.Errorf("it is the label of %.80q", v.ID)
	}
	if v.Created.IsZero() {
		return errors.New("it was made at no time")
	}
	if err := CheckName(v.App); err != nil {
		return err
	}
	return CheckVolume(v, nil)
}
