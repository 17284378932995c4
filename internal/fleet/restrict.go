package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Restrict has the machines of f that serve app reach what the ledger and the flags say now, and nothing else.
func Restrict(ctx context.Context, f *Fleet, app string) error {
	running := f.keeper(app).posts.instances()
	if len(running) == 0 {
		return nil
	}
	network, err := f.cfg.Ledger.Network(ctx, app)
	if err != nil {
		return err
	}
	for _, inst := range running {
		err = errors.Join(err, core.IgnoreMissing(f.cfg.Driver.Restrict(ctx, inst.Machine().ID, network.Egress(f.cfg.Egress))))
	}
	return err
}

// restrictTime is for the networks of an app's machines to answer: they are processes of this host.
const restrictTime = 5 * time.Second

// restrict is Restrict for machines that have come to serve: what was changed while they booted holds for them too.
func (k *keeper) restrict(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, restrictTime)
	defer cancel()
	if err := Restrict(ctx, k.f, k.name()); err != nil {
		k.f.cfg.Log.Warn("the network of the app's machines is as it was when they were started", "app", k.name(), "error", err)
	}
}
