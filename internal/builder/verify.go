package builder

import (
	"context"
	"errors"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Verify reads every file of an image and compares it with its digest. What is damaged is removed, so that the next
// build makes it anew, and named by a *core.Rejection. Machines that run on a removed file go on with it.
func (b *Builder) Verify(ctx context.Context, m core.Manifest) error {
	err := b.cfg.Bases.Verify(ctx, m.Base)
	for _, l := range slices.Backward(m.Layers()) {
		if err == nil && l.Digest != "" {
			err = b.layers.Verify(ctx, l)
		}
	}
	if damage, ok := errors.AsType[*core.Rejection](err); ok {
		b.cfg.Log.Error().Err(damage.Err).Msg(damage.Reason + "; it is removed")
	}
	return err
}
