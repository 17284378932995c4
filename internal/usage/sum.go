package usage

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// sum adds up folders.
type sum struct {
	state  core.StateDir
	users  map[string]map[string]bool // the apps that use each layer, by its digest
	unread []error
}

// use is how many bytes the file or folder at path takes.
func (s *sum) use(path string) int64 {
	u, err := disk.Use(path)
	if err != nil {
		s.unread = append(s.unread, err)
	}
	return u.Bytes
}

// shared adds up what belongs to no single app.
func (s *sum) shared() Usage {
	dir := s.state
	u := Usage{Bases: s.use(dir.Bases()), Builds: s.use(dir.Builds()), Machines: s.use(dir.Machines())}
	entries, err := os.ReadDir(dir.Cache())
	if err = disk.IgnoreMissing(err); err != nil {
		s.unread = append(s.unread, err)
	}
	for _, e := range entries {
		if path := filepath.Join(dir.Cache(), e.Name()); path != dir.AppCaches() {
			u.Cache += s.use(path)
		}
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		u.Ledger += s.use(dir.Ledger() + suffix)
	}
	s.layers(&u)
	return u
}

// volumes adds up each app's disks. Where nothing was written to a disk, it takes no room.
func (s *sum) volumes(all []core.Volume) map[string]int64 {
	use := map[string]int64{}
	for _, v := range all {
		use[v.App] += s.use(s.state.Volume(v.ID)) + s.snapshots(v)
	}
	return use
}

// snapshots is what those of a volume take.
func (s *sum) snapshots(v core.Volume) int64 {
	return s.use(filepath.Join(core.Snapshots(s.state), v.ID))
}

// layers adds up the layers that several apps use, and those that no app uses.
func (s *sum) layers(u *Usage) {
	files, err := os.ReadDir(s.state.Layers())
	if err != nil {
		return
	}
	for _, f := range files {
		path := filepath.Join(s.state.Layers(), f.Name())
		switch n := len(s.users[strings.TrimSuffix(f.Name(), ".erofs")]); {
		case n == 0:
			u.Stray += s.use(path)
		case n > 1:
			u.Shared += s.use(path)
		}
	}
}

// app adds up all of an app but its volumes and what builds keep.
func (s *sum) app(app string) App {
	dir := s.state
	u := App{App: app, Repository: s.use(dir.Repo(app)), Logs: s.use(dir.BuildLog(app))}
	for _, path := range []string{dir.Log(app), core.AccessLog(dir, app)} {
		ext := filepath.Ext(path)
		old, _ := filepath.Glob(strings.TrimSuffix(path, ext) + "-*T*" + ext) // a T: not of another app
		for _, l := range append(old, path) {
			u.Logs += s.use(l)
		}
	}
	for digest, by := range s.users {
		switch {
		case digest == "" || !by[app]:
		case len(by) == 1:
			u.Layers += s.use(dir.Layer(digest))
		default:
			u.Shared += s.use(dir.Layer(digest))
		}
	}
	return u
}
