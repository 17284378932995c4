package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/core"
)

// warmOptions are the flags of machines that were replaced, and are kept for a rollback.
type warmOptions struct{ keep time.Duration }

func (o *warmOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.keep, "keep-warm", 10*time.Minute, "how long a machine that a deployment has replaced stays, paused, so that a rollback takes it; 0: none does")
}

func (o *warmOptions) check() error {
	if o.keep < 0 {
		return core.Reject("a time below zero has no meaning here", "give 0, or a number with its unit, for example 10m")
	}
	return nil
}
