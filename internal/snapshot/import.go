package snapshot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Import gives a volume the contents that in has: the bytes of a disk with an ext4 file system, as Export writes them.
// If a machine has the volume, force is needed: the machine goes on with what it has, and what it writes from now on is
// lost at its end.
func (s *Snapshots) Import(ctx context.Context, by core.Actor, app, volume string, force bool, in io.Reader, w io.Writer) error {
	v, booted, err := s.volume(ctx, app, volume)
	if err != nil {
		return err
	}
	if booted && !force {
		return core.Reject(fmt.Sprintf("%s runs with the volume %q", app, volume),
			fmt.Sprintf("stop it first: `ps:stop %s`; or --yes replaces the volume at its next start, and what it writes until then is lost", app))
	}
	used, err := s.cfg.Files.Used(v)
	if err != nil {
		return err
	}
	d, err := s.cfg.Files.Draft(v.Size, used)
	if err != nil {
		return err
	}
	defer d.Close()
	n, err := fillFrom(ctx, d, v, in)
	if err != nil {
		return disk.Rejected(err)
	}
	return s.replace(ctx, by, v, d, force, n, progress.NewReport(w))
}

// replace puts a draft in the place of v, with the stage held: no machine begins meanwhile.
func (s *Snapshots) replace(ctx context.Context, by core.Actor, v core.Volume, d *core.Draft, force bool, n int64, r *progress.Report) error {
	release, err := s.cfg.Fleet.Stage(ctx, v.App)
	if err != nil {
		return err
	}
	defer release()
	now, booted, err := s.volume(ctx, v.App, v.Name)
	if err != nil {
		return err
	}
	if now.ID != v.ID || booted && !force {
		return core.Reject(fmt.Sprintf("%s has changed meanwhile", v.App), "look at `volumes "+v.App+"`, and try again")
	}
	if err := s.cfg.Files.Replace(v, d); err != nil {
		return disk.Rejected(err)
	}
	s.cfg.Trail.Note(context.WithoutCancel(ctx), v.App, by.Name, "volume.import", fmt.Sprintf("%s, %s", v.Name, units.Bytes(n)))
	r.Step("The volume %s of %s has other contents: %s of them", v.Name, v.App, units.Bytes(n))
	if booted {
		r.Detail("%s has them from its next start on: `ps:restart %s`; what it writes until then is lost", v.App, v.App)
	}
	return nil
}

// piece is how much is looked at at once: a piece of zeros becomes a hole.
const piece = 64 << 10

// fillFrom writes in to a draft, and returns how many bytes there were.
func fillFrom(ctx context.Context, d *core.Draft, v core.Volume, in io.Reader) (at int64, err error) {
	buf, zeros := make([]byte, piece), make([]byte, piece)
	for {
		n, err := io.ReadFull(in, buf)
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			break
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return at, fmt.Errorf("the import ended in the middle: %w", err)
		}
		if at == 0 {
			if err := checkImage(buf[:n]); err != nil {
				return 0, err
			}
		}
		if at+int64(n) > v.Size {
			return at, core.Reject(fmt.Sprintf("this is more than the volume %q of %s holds: %s", v.Name, v.App, units.Bytes(v.Size)),
				"make a larger volume: volumes:create "+v.App+" NAME --size SIZE")
		}
		if !bytes.Equal(buf[:n], zeros[:n]) {
			if _, err := d.WriteAt(buf[:n], at); err != nil {
				return at, err
			}
		}
		at += int64(n)
	}
	if at == 0 {
		return 0, core.Reject("nothing came on standard input", "add a file to the line: volumes:import APP NAME < FILE")
	}
	return at, context.Cause(ctx)
}

// checkImage refuses what does not begin as an ext4 file system. No more of it is read here: the guest's kernel does
// that, in the machine of the app itself.
func checkImage(head []byte) error {
	const magicAt, magic = 1024 + 0x38, 0xef53
	if len(head) < magicAt+2 || binary.LittleEndian.Uint16(head[magicAt:]) != magic {
		return core.Reject("this is no disk with an ext4 file system", "`volumes:export` writes one, and so does: mkfs.ext4 -d FOLDER FILE SIZE")
	}
	return nil
}
