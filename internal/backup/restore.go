package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/backup/archive"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Restored is what a restore asks of the ledger and of git, in a folder that is not in its place yet.
type Restored interface {
	// Open opens the ledger of a state folder, brings its schema up to date, and returns what it knows. It returns
	// ErrNoKey if there are config values and no key for them.
	Open(ctx context.Context, state core.StateDir) (Known, error)
	// Unbundle makes the repository of app in a state folder.
	Unbundle(ctx context.Context, state core.StateDir, app string, shallow []byte, from io.Reader) error
}

// Known is what a ledger knows of what must be in a backup.
type Known struct {
	Apps    []core.App
	Volumes []core.Volume
}

// ErrNoKey says that a ledger holds config values, and that their key is not beside it.
var ErrNoKey = errors.New("the key of the config is missing")

// Stage is the folder in which a backup is taken apart, below the state folder. Nothing of it is in its place until all
// of it was read and found to be as it was written.
func stage(d core.StateDir) core.StateDir {
	return core.StateDir(filepath.Join(string(d), "restore.new"))
}

// Check reads a backup, and says what it is. It returns nil if it is whole, and as it was written.
func Check(ctx context.Context, from io.Reader, r *progress.Report) error {
	var files int
	var bytes int64
	err := archive.Read(from, func(h archive.Head) error {
		r.Step("A backup of %s, by gitd %s", h.Created.Format("2006-01-02 15:04:05 MST"), h.Gitd)
		r.Detail("%s, %s", with(h.Secrets, "keys"), with(h.Layers, "images"))
		return nil
	}, func(f archive.File) error {
		files++
		bytes += f.Size
		return ctx.Err()
	})
	if err == nil {
		r.Step("%d files, %s", files, units.Bytes(bytes))
	}
	return err
}

func with(has bool, what string) string {
	if has {
		return "with " + what
	}
	return "without " + what
}

// interrupted is the file that says that a restore was moving things to their places.
func interrupted(d core.StateDir) string { return filepath.Join(string(d), "restoring") }

// clear removes what a restore had put in its place that was interrupted.
func clear(d core.StateDir) error {
	if _, err := os.Lstat(interrupted(d)); err != nil {
		return disk.IgnoreMissing(err)
	}
	if _, err := os.Lstat(d.Ledger()); err == nil {
		return nil // it is not that of a restore
	}
	for _, path := range []string{filepath.Join(string(d), "repos"), d.Volumes(), filepath.Dir(d.HostKey()), core.Certificates(d), keyOf(d)} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// Unfinished refuses a state folder in which a restore was killed: a gitd that began there would know nothing of what
// was to be restored, and the next restore would find a folder that is not empty. With the ledger in its place, a
// restore is whole; what a kill has left of it goes.
func Unfinished(d core.StateDir) error {
	if _, err := os.Lstat(d.Ledger()); err == nil {
		return errors.Join(disk.IgnoreMissing(os.Remove(interrupted(d))), os.RemoveAll(string(stage(d))))
	}
	for _, path := range []string{string(stage(d)), interrupted(d)} {
		if _, err := os.Lstat(path); err == nil {
			return core.Reject(fmt.Sprintf("a restore into %s has not come to its end", d),
				fmt.Sprintf("type `gitd restore FILE` again, which begins anew; or, for an empty gitd: rm -r %s", path))
		}
	}
	return nil
}

// rebuildMark is the file that has the next gitd build the apps whose images it lacks.
func rebuildMark(d core.StateDir) string { return filepath.Join(string(d), "restored") }

// Wish is what somebody wants of a restore.
type Wish struct {
	From io.Reader
	Key  []byte // the key of the config, which takes the place of that in the backup; empty: that in the backup
}

// Restore makes the empty state folder d of a backup. No gitd may run on it.
func Restore(ctx context.Context, d core.StateDir, w Wish, with Restored, r *progress.Report) error {
	if err := errors.Join(clear(d), checkEmpty(d)); err != nil {
		return err
	}
	s := &restore{d: d, stage: stage(d), with: with, r: r}
	if err := os.RemoveAll(string(s.stage)); err != nil { // of a restore that was killed
		return err
	}
	if err := s.stage.Create(); err != nil {
		return err
	}
	defer os.RemoveAll(string(s.stage)) // what stays, the next restore removes
	err := s.read(ctx, w)
	if err == nil {
		err = s.place(ctx)
	}
	return disk.Rejected(err)
}

// checkEmpty refuses a state folder in which there is something.
func checkEmpty(d core.StateDir) error {
	for _, path := range []string{
		d.Ledger(), keyOf(d), filepath.Join(string(d), "repos"), d.Volumes(), core.Snapshots(d), filepath.Dir(d.HostKey()), core.Certificates(d),
	} {
		info, err := os.Lstat(path)
		if err != nil {
			continue
		}
		if info.IsDir() {
			if entries, err := os.ReadDir(path); err == nil && len(entries) == 0 {
				continue
			}
		}
		return core.Reject(fmt.Sprintf("the state folder %s is not empty: there is %s", d, path),
			fmt.Sprintf("a restore never replaces anything; with gitd stopped, move it away: mv %s %s.old", d, d))
	}
	return nil
}

type restore struct {
	d, stage core.StateDir
	with     Restored
	r        *progress.Report
	root     *os.Root // of stage
	head     archive.Head
	bundles  []string // apps
	ends     map[string]int64
	known    Known
}

// read takes the backup apart, and sees whether its parts fit together.
func (s *restore) read(ctx context.Context, w Wish) (err error) {
	if s.root, err = os.OpenRoot(string(s.stage)); err != nil {
		return err
	}
	defer s.root.Close()
	s.ends = map[string]int64{}
	if err := archive.Read(w.From, s.begin, func(f archive.File) error { return errors.Join(ctx.Err(), s.take(f)) }); err != nil {
		return err
	}
	s.r.Step("Read, and as it was written")
	if len(w.Key) > 0 {
		if err := os.WriteFile(keyOf(s.stage), w.Key, 0o600); err != nil {
			return err
		}
	}
	s.known, err = s.with.Open(ctx, s.stage)
	if errors.Is(err, ErrNoKey) {
		return &core.Rejection{
			Reason: "this backup holds config values, and not their key: it was made without --with-key",
			Hint:   "name the key of the host that it is of, which was gitd.db.key in its state folder: --key FILE", Err: err,
		}
	}
	if err != nil {
		return fmt.Errorf("the ledger in the backup: %w", err)
	}
	return s.fit(ctx)
}

func (s *restore) begin(h archive.Head) error {
	s.head = h
	s.r.Step("A backup of %s, by gitd %s", h.Created.Format("2006-01-02 15:04:05 MST"), h.Gitd)
	return nil
}

// take puts one file where it belongs in stage.
func (s *restore) take(f archive.File) error {
	if err := room(s.stage, f.Size); err != nil {
		return err
	}
	switch {
	case f.Name == ledgerName:
		return s.write("gitd.db", f)
	case f.Name == keyName:
		return s.write("gitd.db.key", f)
	case sshFile.MatchString(f.Name), certFile.MatchString(f.Name):
		return s.write(strings.TrimPrefix(f.Name, secretsDir), f)
	case layerFile.MatchString(f.Name), baseFile.MatchString(f.Name):
		return s.write(f.Name, f)
	case appOf(shallowLine, f.Name) != "":
		return s.write(f.Name, f)
	case appOf(bundleFile, f.Name) != "":
		s.bundles = append(s.bundles, appOf(bundleFile, f.Name))
		return s.write(f.Name, f)
	case f.Name == contentsName:
		return nil
	}
	if id, at, ok := extentOf(f.Name); ok {
		return s.extent(id, at, f)
	}
	return fmt.Errorf("the backup has a file %.80q, which this gitd does not know", f.Name)
}

// keepFree is what a restore leaves of the disk, in bytes.
const keepFree = 256 << 20

func room(d core.StateDir, size int64) error {
	space, err := disk.SpaceOf(string(d))
	if err == nil && size > space.Free-keepFree {
		err = core.Reject(fmt.Sprintf("the disk has %s free, and the next file of the backup is %s", units.Bytes(space.Free), units.Bytes(size)),
			"a restore needs the room of the whole backup, and 256 MiB")
	}
	return err
}

// write makes a new file of a file of the backup.
func (s *restore) write(name string, f archive.File) error {
	if err := s.root.MkdirAll(path.Dir(name), 0o711); err != nil {
		return err
	}
	mode := os.FileMode(0o600)
	if strings.HasPrefix(name, "layers/") || strings.HasPrefix(name, "bases/") {
		mode = 0o644 // QEMU is another user
	}
	to, err := s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, f)
	return errors.Join(err, to.Chmod(mode), to.Sync(), to.Close())
}

// extent writes a part of a volume. Parts come in order.
func (s *restore) extent(id string, at int64, f archive.File) error {
	if at < s.ends[id] || at > core.MaxVolume || f.Size > core.MaxVolume-at {
		return fmt.Errorf("the backup has the part %.80q of a volume where none can be", f.Name)
	}
	s.ends[id] = at + f.Size
	to, err := s.root.OpenFile("volumes/"+id+".ext4", os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(to, at), f)
	return errors.Join(err, to.Close())
}

// fit sees whether all is there that the ledger knows, makes the repositories, and gives each volume its size.
func (s *restore) fit(ctx context.Context) error {
	known := map[string]bool{}
	for _, a := range s.known.Apps {
		if err := core.CheckName(a.Name); err != nil {
			return fmt.Errorf("the ledger in the backup: %w", err)
		}
		known[a.Name] = true
	}
	if err := s.fitVolumes(); err != nil {
		return err
	}
	for _, app := range s.bundles {
		if !known[app] {
			continue // it was made after the moment of the ledger
		}
		if err := s.unbundle(ctx, app); err != nil {
			return err
		}
	}
	s.r.Step("%d apps, %d repositories, %d volumes", len(s.known.Apps), len(s.bundles), len(s.known.Volumes))
	return nil
}

func (s *restore) fitVolumes() error {
	known := map[string]bool{}
	for _, v := range s.known.Volumes {
		if _, _, ok := extentOf(extentName(v.ID, 0)); !ok || v.Size > core.MaxVolume || s.ends[v.ID] > v.Size {
			return fmt.Errorf("the ledger in the backup has a volume %.80q that cannot be", v.ID)
		}
		known[v.ID] = true
		if s.ends[v.ID] == 0 {
			s.r.Warn("the volume %s of %s is not in the backup: it was removed while that was made", v.Name, v.App)
			continue
		}
		f, err := s.root.OpenFile("volumes/"+v.ID+".ext4", os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Truncate(v.Size), f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	for id := range s.ends {
		if !known[id] { // it was made after the moment of the ledger
			if err := s.root.Remove("volumes/" + id + ".ext4"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *restore) unbundle(ctx context.Context, app string) error {
	shallow, err := s.root.ReadFile(shallowName(app))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := s.root.Open(bundleName(app))
	if err != nil {
		return err
	}
	defer f.Close()
	return s.with.Unbundle(ctx, s.stage, app, bytes.Clone(shallow), f)
}

// place moves all from stage to where it belongs. The ledger is the last: without it, gitd does not start on what there
// is, and a restore begins anew.
func (s *restore) place(ctx context.Context) error {
	if err := errors.Join(s.d.Create(), os.WriteFile(interrupted(s.d), nil, 0o600)); err != nil {
		return err
	}
	if !s.head.Layers {
		if err := os.WriteFile(rebuildMark(s.d), nil, 0o600); err != nil {
			return err
		}
	}
	var moves [][2]string
	for _, pattern := range []string{"bases/*", "layers/*.erofs", "repos/*.git", "volumes/*.ext4", "ssh/*", "certificates/*", "gitd.db.key", "gitd.db"} {
		found, err := filepath.Glob(filepath.Join(string(s.stage), pattern))
		if err != nil {
			return err
		}
		for _, from := range found {
			moves = append(moves, [2]string{from, filepath.Join(string(s.d), strings.TrimPrefix(from, string(s.stage)))})
		}
	}
	for _, m := range moves {
		if err := errors.Join(ctx.Err(), move(m[0], m[1])); err != nil {
			return err
		}
	}
	s.say()
	return errors.Join(disk.IgnoreMissing(os.Remove(interrupted(s.d))), disk.SyncFolder(string(s.d)))
}

// move gives a file or a folder its place. An image that is there already is the same.
func move(from, to string) error {
	err := os.Rename(from, to)
	if errors.Is(err, fs.ErrExist) && strings.Contains(to, "/bases/") {
		return nil
	}
	return errors.Join(err, disk.SyncFolder(filepath.Dir(to)))
}

// say tells what a person must know before gitd starts.
func (s *restore) say() {
	if !s.head.Secrets {
		s.r.Warn("the backup has no keys of the host: gitd makes new ones, and the ssh of everybody will ask; --with-key takes them along")
	}
	if !s.head.Layers {
		s.r.Detail("the backup has no images: the next gitd builds the live release of each app again, one after the other")
	}
}
