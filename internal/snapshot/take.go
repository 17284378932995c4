package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// Taken is a copy of a volume as it was at one moment, which is gone when it is closed.
type Taken struct {
	core.Volume
	*core.Draft
	How How
}

// How says what a copy is worth.
type How struct {
	core.Captured
	Idle bool `json:"idle"` // no machine had the volume
}

func (h How) String() string {
	switch {
	case h.Idle:
		return "no machine has it"
	case h.Frozen:
		return fmt.Sprintf("its machine held all writes for %s", h.Held.Round(time.Millisecond))
	default:
		return "as after a power cut: its machine was started by an older gitd; a restart of the app changes that"
	}
}

// attempts is how often a copy is begun again whose machine ended meanwhile, because the app was deployed or stopped.
const attempts = 3

// Take copies volumes of app, those that one machine has all as they were at one moment. The caller closes the copies.
func (s *Snapshots) Take(ctx context.Context, app string, volumes []core.Volume) (taken []Taken, err error) {
	for range attempts {
		taken, err = s.try(ctx, app, volumes)
		if err == nil || ctx.Err() != nil {
			break
		}
		if _, refused := errors.AsType[*core.Rejection](err); refused {
			break
		}
	}
	return taken, err
}

func (s *Snapshots) try(ctx context.Context, app string, volumes []core.Volume) (taken []Taken, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(taken))
			taken = nil
		}
	}()
	for _, v := range volumes {
		used, err := s.cfg.Files.Used(v)
		if err != nil {
			return taken, err
		}
		d, err := s.cfg.Files.Draft(v.Size, used)
		if err != nil {
			return taken, err
		}
		taken = append(taken, Taken{Volume: v, Draft: d})
	}
	return taken, s.fill(ctx, app, taken)
}

func closeAll(taken []Taken) (err error) {
	for _, t := range taken {
		err = errors.Join(err, t.Close())
	}
	return err
}

// fill makes the copies. While the stage is held, no machine of app begins.
func (s *Snapshots) fill(ctx context.Context, app string, taken []Taken) error {
	release, err := s.cfg.Fleet.Stage(ctx, app)
	if err != nil {
		return err
	}
	held := true
	defer func() {
		if held {
			release()
		}
	}()
	holders, err := s.cfg.Volumes.Holders(ctx, app)
	if err != nil {
		return err
	}
	running := map[string][]int{} // the copies of each machine's volumes
	for i, t := range taken {
		if m := holder(holders, t.Volume); m != "" {
			running[m] = append(running[m], i)
		} else if err := s.copyIdle(ctx, &taken[i]); err != nil {
			return err
		}
	}
	release() // a machine that runs is copied while it does, and may end
	held = false
	for machine, which := range running {
		if err := s.capture(ctx, machine, taken, which); err != nil {
			return err
		}
	}
	return nil
}

// holder is the machine that has v; "": none.
func holder(machines []core.Machine, v core.Volume) string {
	for _, m := range machines {
		if m.Has(v) {
			return m.ID
		}
	}
	return ""
}

func (s *Snapshots) copyIdle(ctx context.Context, t *Taken) error {
	from, err := s.cfg.Files.Open(t.Volume, "")
	if err != nil {
		return err
	}
	defer from.Close()
	t.How.Idle = true
	return disk.Copy(t.File, from, ctx.Err)
}

func (s *Snapshots) capture(ctx context.Context, machine string, taken []Taken, which []int) error {
	var copies []core.DiskCopy
	for _, i := range which {
		copies = append(copies, core.DiskCopy{Path: s.cfg.State.Volume(taken[i].ID), To: taken[i].File})
	}
	c, err := s.cfg.Capturer.Capture(ctx, machine, copies)
	for _, i := range which {
		taken[i].How.Captured = c
	}
	return err
}
