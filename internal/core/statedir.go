package core

import (
	"os"
	"path/filepath"
)

// StateDir is the folder that holds all of gitd's state. Its methods are the
// only place where paths below it are made. Names passed in must have been
// checked before (CheckName, hex digests).
type StateDir string

// The parts of the state folder.

func (d StateDir) Ledger() string           { return d.join("gitd.db") }
func (d StateDir) Socket() string           { return d.join("gitd.sock") }
func (d StateDir) Repo(app string) string   { return d.join("repos", app+".git") }
func (d StateDir) Hooks() string            { return d.join("hooks") }
func (d StateDir) Bases() string            { return d.join("bases") }
func (d StateDir) Base(id string) string    { return d.join("bases", id) }
func (d StateDir) Layers() string           { return d.join("layers") }
func (d StateDir) Layer(dg string) string   { return d.join("layers", dg+".erofs") }
func (d StateDir) Cache() string            { return d.join("cache") }
func (d StateDir) AppCaches() string        { return d.join("cache", "apps") }
func (d StateDir) AppCache(a string) string { return d.join("cache", "apps", a) }
func (d StateDir) Builds() string           { return d.join("builds") }
func (d StateDir) Machines() string         { return d.join("machines") }
func (d StateDir) Machine(id string) string { return d.join("machines", id) }
func (d StateDir) Volumes() string          { return d.join("volumes") }
func (d StateDir) Volume(id string) string  { return d.join("volumes", id+".ext4") }
func (d StateDir) HostKey() string          { return d.join("ssh", "host_ed25519") }
func (d StateDir) Libvirt() string          { return d.join("libvirt") }
func (d StateDir) Log(app string) string    { return d.join("logs", app+".log") }
func (d StateDir) BuildLog(a string) string { return d.join("logs", a+".builds") }

// Programs is where gitd's own programs are, if its user cannot reach where they were installed.
func Programs(d StateDir) string { return d.join("bin") }

// HookSocket is the socket on which the hooks of git ask for the verdict on a push.
func HookSocket(d StateDir) string { return d.join("hooks.sock") }

// AccessLog has the requests of an app.
func AccessLog(d StateDir, app string) string { return d.join("logs", app+".access") }

// Certificates is the folder of the certificates of the front door, and of the account with which they were asked for.
func Certificates(d StateDir) string { return d.join("certificates") }

// Snapshots is the folder of the snapshots of volumes, each volume's in a folder of its own.
func Snapshots(d StateDir) string { return d.join("snapshots") }

// Drains is the folder of what drains remember.
func Drains(d StateDir) string { return d.join("drains") }

// DrainedBuilds is what deployments of an app printed, for drains.
func DrainedBuilds(d StateDir, app string) string { return d.join("drains", "builds", app+".log") }

// CronTick is the file whose time is that of the last look at the schedules of jobs.
func CronTick(d StateDir) string { return d.join("cron.tick") }

// The files of a base, in Base(id). A stock kernel has an initrd, a minimal
// one does not.

func (d StateDir) Kernel(id string) string { return filepath.Join(d.Base(id), "kernel") }
func (d StateDir) Initrd(id string) string { return filepath.Join(d.Base(id), "initrd") }
func (d StateDir) Root(id string) string   { return filepath.Join(d.Base(id), "root.erofs") }

func (d StateDir) join(parts ...string) string {
	return filepath.Join(append([]string{string(d)}, parts...)...)
}

// Create makes the folders. QEMU runs as a user of its own, which must reach the bases, layers, volumes, machines and
// libvirt's folder. A build runs as another user, which must reach its own folders below builds/ and cache/. The other
// folders are for gitd alone.
func (d StateDir) Create() error {
	open := []string{string(d), d.Bases(), d.Layers(), d.Machines(), d.Libvirt(), d.Cache(), d.Builds(), d.Volumes()}
	private := []string{d.join("repos"), Sleeping(d), Snapshots(d), d.Hooks(), d.join("ssh"), d.join("logs"), Certificates(d), Drains(d), d.join("drains", "builds")}
	for _, p := range open {
		if err := mkdir(p, 0o711); err != nil {
			return err
		}
	}
	for _, p := range private {
		if err := mkdir(p, 0o700); err != nil {
			return err
		}
	}
	return nil
}

func mkdir(path string, mode os.FileMode) error {
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}
