package snapshot

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// volume finds a volume of app by its name.
func (s *Snapshots) volume(ctx context.Context, app, name string) (v core.Volume, booted bool, err error) {
	all, err := s.cfg.Volumes.VolumesOf(ctx, app)
	if err != nil {
		return v, false, err
	}
	for _, u := range all {
		if u.Name == name {
			return u.Volume, u.Booted, nil
		}
	}
	return v, false, core.Reject(fmt.Sprintf("%s has no volume %q", app, name), "`volumes "+app+"` lists what it has")
}

// one takes a copy of one volume.
func (s *Snapshots) one(ctx context.Context, v core.Volume) (Taken, error) {
	taken, err := s.Take(ctx, v.App, []core.Volume{v})
	if err != nil {
		return Taken{}, disk.Rejected(err)
	}
	return taken[0], nil
}

// Snapshot keeps a copy of a volume as it is now, under a name; "": the time.
func (s *Snapshots) Snapshot(ctx context.Context, by core.Actor, app, volume, name string, w io.Writer) error {
	if name == "" {
		name = core.SnapshotName(time.Now())
	}
	v, _, err := s.volume(ctx, app, volume)
	if err != nil {
		return err
	}
	if err := core.CheckSnapshotName(name); err != nil {
		return err
	}
	used, err := s.cfg.Files.Used(v)
	if err != nil {
		return err
	}
	if err := s.cfg.Quotas.CheckDisk(ctx, app, used); err != nil {
		return err
	}
	t, err := s.one(ctx, v)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := s.cfg.Files.Keep(v, name, t.Draft); err != nil {
		return disk.Rejected(err)
	}
	s.cfg.Trail.Note(ctx, app, by.Name, "volume.snapshot", volume+", "+name)
	progress.NewReport(w).Step("Snapshot %s of the volume %s of %s: %s", name, volume, app, t.How)
	return nil
}

// SnapshotsOf are those of a volume, the oldest first.
func (s *Snapshots) SnapshotsOf(ctx context.Context, app, volume string) ([]core.Snapshot, error) {
	v, _, err := s.volume(ctx, app, volume)
	if err != nil {
		return nil, err
	}
	return s.cfg.Files.Snapshots(v)
}

// RemoveSnapshot removes a snapshot.
func (s *Snapshots) RemoveSnapshot(ctx context.Context, by core.Actor, app, volume, name string) error {
	v, _, err := s.volume(ctx, app, volume)
	if err != nil {
		return err
	}
	if err := s.cfg.Files.RemoveSnapshot(v, name); err != nil {
		return err
	}
	s.cfg.Trail.Note(ctx, app, by.Name, "volume.snapshot.remove", volume+", "+name)
	return nil
}

// copyOf is a copy of a volume as it is now, or of a snapshot of it.
func (s *Snapshots) copyOf(ctx context.Context, v core.Volume, snapshot string) (*core.Draft, string, error) {
	if snapshot == "" {
		t, err := s.one(ctx, v)
		return t.Draft, t.How.String(), err
	}
	from, err := s.cfg.Files.Open(v, snapshot)
	if err != nil {
		return nil, "", err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return nil, "", err
	}
	d, err := s.cfg.Files.Draft(v.Size, disk.Allocated(info))
	if err != nil {
		return nil, "", err
	}
	if err := disk.Copy(d.File, from, ctx.Err); err != nil {
		d.Close()
		return nil, "", disk.Rejected(err)
	}
	return d, "of the snapshot " + snapshot, nil
}

// Fork is a new volume that begins as a copy of another.
type Fork struct {
	App, Volume, Snapshot string // "": as the volume is now
	To                    string // the app that gets it
	Name, Mount           string // "": as the other
}

// Fork makes a new volume from another.
func (s *Snapshots) Fork(ctx context.Context, by core.Actor, f Fork, w io.Writer) error {
	v, _, err := s.volume(ctx, f.App, f.Volume)
	if err != nil {
		return err
	}
	d, how, err := s.copyOf(ctx, v, f.Snapshot)
	if err != nil {
		return err
	}
	defer d.Close()
	next := core.Volume{App: f.To, Name: first(f.Name, v.Name), Size: v.Size, Mount: first(f.Mount, v.Mount)}
	what := fmt.Sprintf("a copy of %s of %s (%s)", v.Name, v.App, how)
	return s.cfg.Volumes.AddVolume(ctx, by, next, what, func(ctx context.Context, v core.Volume, record func() error) error {
		return s.cfg.Files.Adopt(ctx, v, d, record)
	}, w)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// Export writes a volume, or a snapshot of it, to out: the bytes of its disk. It is noted before: who has it may read
// all that is in it.
func (s *Snapshots) Export(ctx context.Context, by core.Actor, app, volume, snapshot string, out, w io.Writer) error {
	v, _, err := s.volume(ctx, app, volume)
	if err != nil {
		return err
	}
	r := progress.NewReport(w)
	from, how, err := s.exported(ctx, v, snapshot)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := s.cfg.Trail.Before(ctx, app, by.Name, "volume.export", volume+", "+how); err != nil {
		return err
	}
	r.Step("The volume %s of %s, %s: %s", volume, app, units.Bytes(v.Size), how)
	if _, err := io.Copy(out, io.NewSectionReader(from, 0, v.Size)); err != nil {
		return fmt.Errorf("the export ended in the middle: %w", err)
	}
	r.Done("it is whole")
	return nil
}

// exported opens what Export sends. A snapshot does not change, so it needs no copy.
func (s *Snapshots) exported(ctx context.Context, v core.Volume, snapshot string) (readerAt, string, error) {
	if snapshot != "" {
		f, err := s.cfg.Files.Open(v, snapshot)
		return f, "the snapshot " + snapshot, err
	}
	t, err := s.one(ctx, v)
	return t.Draft, t.How.String(), err
}

type readerAt interface {
	io.ReaderAt
	io.Closer
}
