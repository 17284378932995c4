package bootdisk

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

// maxExports is how many disks are sent at once: each reads some 100 MB, and qcow2 keeps a processor busy.
const maxExports = 2

// Exporter sends disks of releases. It is safe for concurrent use.
type Exporter struct {
	state  core.StateDir
	trail  *audit.Trail
	places chan struct{}
}

// NewExporter sends disks of the images in state.
func NewExporter(state core.StateDir, trail *audit.Trail) *Exporter {
	return &Exporter{state: state, trail: trail, places: make(chan struct{}, maxExports)}
}

// Export sends the disk of a release to w, in the form format, with the config vars on it. A collection that runs
// meanwhile does no harm: the files are open.
func (e *Exporter) Export(ctx context.Context, by core.Actor, rel core.Release, vars map[string]string, format string, w io.Writer, r *progress.Report) error {
	select {
	case e.places <- struct{}{}:
		defer func() { <-e.places }()
	default:
		return core.Reject(fmt.Sprintf("%d disks are being sent already", maxExports), "type the same again in a minute")
	}
	if err := CheckConverter(format); err != nil {
		return err
	}
	d, err := e.open(rel, vars)
	if err != nil {
		return err
	}
	defer d.Close()
	config := "without config"
	if len(vars) > 0 {
		config = fmt.Sprintf("with %d config variables", len(vars))
	}
	e.trail.Note(ctx, rel.App, by.Name, "release.export", fmt.Sprintf("v%d, %s, %s", rel.Version, format, config))
	r.Step("Sending a disk of %s v%d (%s, %s before it is packed)", rel.App, rel.Version, format, units.Bytes(d.Size()))
	parts, err := d.Send(ctx, w, format, e.state.Builds())
	if full := disk.Full(err); full != nil {
		return full
	}
	if err != nil {
		return err
	}
	for _, p := range parts {
		r.Detail("%s", p)
	}
	return nil
}

func (e *Exporter) open(rel core.Release, vars map[string]string) (*Disk, error) {
	err := image.Check(e.state, rel.Manifest)
	if err != nil || rel.Manifest.Empty() {
		return nil, &core.Rejection{
			Reason: fmt.Sprintf("the image of v%d is not kept", rel.Version),
			Hint:   fmt.Sprintf("`releases %s` shows which are; %s", rel.App, image.BuildAgain(rel)), Err: err,
		}
	}
	start, err := Start(rel, vars)
	if err != nil {
		return nil, err
	}
	d, err := Make(e.state, rel.Manifest, start)
	if errors.Is(err, ErrOldBase) {
		err = &core.Rejection{
			Reason: fmt.Sprintf("v%d stands on a base that %v", rel.Version, ErrOldBase),
			Hint:   "`ps:rebuild " + rel.App + "` builds the live commit on a new one", Err: err,
		}
	}
	return d, err
}
