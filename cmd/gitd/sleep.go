package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/sleep"
)

// sleepOptions are the flags of apps that sleep while nobody asks them anything.
type sleepOptions struct{ after time.Duration }

func (o *sleepOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.after, "sleep-after", 0, "without a request, apps fall asleep: their memory is saved to a file, until the next request; 0: never; `sleep:set` says it for one app")
}

func (o *sleepOptions) check() error {
	if o.after < 0 || o.after > 0 && o.after < sleep.Least {
		return fmt.Errorf("%s is less than %s; 0 is never", o.after, sleep.Least)
	}
	return nil
}

// sleepers are what apps sleep with. The driver below boots those that do not.
func sleepers(d *daemon, o *options, log *slog.Logger) engine.Sleep {
	beds := sleep.New(sleep.Config{
		State: core.StateDir(o.state), Ledger: d.ledger, Driver: d.warm, Saver: d.driver, Log: log,
		Observe: func(x core.Transition) {
			if observe != nil {
				observe(x)
			}
		},
	})
	return engine.Sleep{Beds: beds, After: o.sleep.after, Free: func() (int, bool) { return free(d) }, Clear: func(ctx context.Context, size core.Resources) { clearFor(ctx, d, size) }, Traffic: func(app string) (now, ever int64) {
		byHTTP := d.front.Counts(app)
		byTCP, everByTCP := d.tcp.Counts(app)
		return int64(byHTTP.Active + byTCP), byHTTP.Requests + int64(everByTCP)
	}}
}
