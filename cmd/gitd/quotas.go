package main

import (
	"cmp"
	"fmt"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/quota"
	"github.com/nodeos-dev/gitd/internal/units"
)

const (
	// leastLeft is what machines leave of the host's memory, at the least, in MiB: for gitd, builds and the kernel.
	leastLeft = 512
	// cpusEach is how many processors of machines there may be for each of the host. Most machines wait for requests
	// most of the time, and a processor that waits takes nothing; a machine has one at the least.
	cpusEach = 32
)

// quotaOptions are the flags of `gitd serve` about what machines, apps and users may take.
type quotaOptions struct {
	memory    string // of all machines
	cpus      int
	app, user string
}

func (o *quotaOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.memory, "max-memory", "", "of all machines together, for example 12G; empty: three quarters of the host's, and all but 512 MiB at the most")
	f.IntVar(&o.cpus, "max-cpus", 0, "of all machines together; 0: 32 for each of the host's")
	f.StringVar(&o.app, "app-quota", "", "of each app for which nothing else is set, for example memory=2G,cpus=4,machines=4,disk=10G; empty: unlimited")
	f.StringVar(&o.user, "user-quota", "", "the same for the apps of each user together, and apps=3 for how many they may make")
}

func (o *quotaOptions) checks() []checked {
	_, memory := o.maxMemory()
	_, app := core.ParseQuota(o.app, core.LimitsOfApp)
	_, user := core.ParseQuota(o.user, core.LimitsOfUser)
	return []checked{{"max-memory", memory}, {"max-cpus", notBelowZero(o.cpus)}, {"app-quota", app}, {"user-quota", user}}
}

// maxMemory is in MiB; 0: not set.
func (o *quotaOptions) maxMemory() (mib int, err error) {
	if o.memory == "" {
		return 0, nil
	}
	n, err := units.ParseBytes(o.memory)
	if mib = int(n >> 20); err == nil && mib < core.MinMemoryMiB {
		err = fmt.Errorf("no machine runs with less than %d MiB", core.MinMemoryMiB)
	}
	return mib, err
}

// limits is what holds on this host. The flags have been checked.
func (o *quotaOptions) limits(host core.Resources, log zerolog.Logger) quota.Limits {
	var l quota.Limits
	memory, _ := o.maxMemory() // it was checked, and so were the next two
	l.App, _ = core.ParseQuota(o.app, core.LimitsOfApp)
	l.User, _ = core.ParseQuota(o.user, core.LimitsOfUser)
	share := 0 // the host does not say what it has
	if host.MemoryMiB > 0 {
		share = max(core.MinMemoryMiB, min(host.MemoryMiB/4*3, host.MemoryMiB-leastLeft))
	}
	l.Host = core.Resources{MemoryMiB: cmp.Or(memory, share), CPUs: cmp.Or(o.cpus, cpusEach*host.CPUs)}
	log.Info().Int("max_memory_mib", l.Host.MemoryMiB).Int("max_cpus", l.Host.CPUs).Int("host_memory_mib", host.MemoryMiB).
		Str("app_quota", cmp.Or(o.app, "unlimited")).Str("user_quota", cmp.Or(o.user, "unlimited")).Msg("machines may have together")
	return l
}
