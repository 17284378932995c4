package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// Quarantine is where the objects of one push are until something of it is accepted. git has one of its own, which ends
// before it asks proc-receive; this one lasts until the release is live, or the tags are stored. What is not accepted
// goes with it.
//
// It is a folder below the app's repository, so that what is accepted is linked and not copied:
//
//	incoming/  what receive-pack writes, and nobody else reads
//	objects/   what the core, builds and other processes of git read: see Seal
type Quarantine struct {
	dir  string
	done func() error // of the gate
}

const (
	quarantines = "quarantine" // the folder of them, in a repository
	incoming    = "incoming"
	packs       = "objects/pack"
)

// packFile matches what is taken of the files that receive-pack leaves. It leaves no loose objects: see settings.
var packFile = regexp.MustCompile(`^pack-[0-9a-f]{40}\.(pack|rev|idx)$`)

// Quarantine makes the quarantine of a push to app, and keeps tidyings of its repository away until it is dropped.
func (r *Repos) Quarantine(app string) (*Quarantine, error) {
	q := &Quarantine{done: r.gates.of(app).push()}
	err := mkdir(filepath.Join(r.state.Repo(app), quarantines))
	if err == nil {
		q.dir, err = os.MkdirTemp(filepath.Join(r.state.Repo(app), quarantines), "")
	}
	if err == nil {
		err = errors.Join(os.Mkdir(q.incoming(), 0o700), os.MkdirAll(filepath.Join(q.dir, packs), 0o700))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make room for a push: %w", disk.Rejected(err)), q.Drop())
	}
	return q, nil
}

func (q *Quarantine) incoming() string { return filepath.Join(q.dir, incoming) }

// Seal takes the packs that receive-pack has written to where no process of git can exchange them any more, and returns
// the folder that has them, in the form of a repository. A link in the place of a file would lead those who are not
// behind git's walls to the files of others.
func (q *Quarantine) Seal() (string, error) {
	root, err := os.OpenRoot(q.dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	entries, err := disk.ReadDir(root, incoming+"/pack")
	if err != nil {
		return q.dir, disk.IgnoreMissing(err) // the push has brought nothing
	}
	for _, e := range entries {
		to := packs + "/" + e.Name()
		if !packFile.MatchString(e.Name()) {
			continue
		}
		if err := root.Link(incoming+"/pack/"+e.Name(), to); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		if info, err := root.Lstat(to); err != nil || !info.Mode().IsRegular() {
			return "", errors.Join(fmt.Errorf("%s is not a file", e.Name()), err, root.Remove(to))
		}
	}
	return q.dir, nil
}

// Drop removes what is left.
func (q *Quarantine) Drop() error {
	var err error
	if q.dir != "" {
		err = disk.RemoveAll(q.dir)
	}
	return errors.Join(err, q.done())
}

// accept brings the packs of a quarantine into app's repository, and returns what takes them out again: that is for the
// app's turn, before anybody else can count on them. An index comes last, and with it git sees a pack, all of it. git
// has written the files to the disk.
//
// They are linked: who reads them in the quarantine goes on. Nothing is overwritten: a pack is named by its content.
func (r *Repos) accept(app, quarantine string) (undo func(), err error) {
	from, to := filepath.Join(quarantine, packs), filepath.Join(r.state.Repo(app), packs)
	var linked []string
	undo = func() {
		for _, path := range slices.Backward(linked) {
			os.Remove(path) //nolint:errcheck // what stays is no harm: a collection removes it
		}
	}
	if quarantine == "" {
		return undo, nil
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return undo, err
	}
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int { return rank(a) - rank(b) })
	for _, e := range entries {
		path := filepath.Join(to, e.Name())
		switch err := link(filepath.Join(from, e.Name()), path); {
		case err == nil:
			linked = append(linked, path)
		case !errors.Is(err, fs.ErrExist):
			undo()
			return undo, fmt.Errorf("take over the objects of the push: %w", err)
		}
	}
	if len(linked) == 0 {
		return undo, nil
	}
	return undo, disk.SyncFolder(to)
}

// rank is 1 for an index, which must be there after its pack.
func rank(e fs.DirEntry) int {
	if strings.HasSuffix(e.Name(), ".idx") {
		return 1
	}
	return 0
}

// link links a file, or moves it where a file system has no links.
func link(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, missing := os.Lstat(to); missing == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// brought is a move of refs to objects that came in for it.
type brought struct {
	core.RefMove
	undo func()
}

// Abort implements core.RefMove.
func (b brought) Abort() {
	b.RefMove.Abort()
	b.undo()
}
