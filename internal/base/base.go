// Package base makes the NodeOS base that machines boot from: a kernel, and a root file system with Node, init and
// the few files that both need.
//
// It owns what is in a base, its id, and the finished bases below StateDir.Bases(): made, found, measured, verified
// and removed. It does not own where Node comes from, which the caller brings unpacked, nor how a machine boots.
package base

import (
	"github.com/nodeos-dev/gitd/internal/base/kernel"
	"github.com/nodeos-dev/gitd/internal/core"
)

// Config is what a Store needs to know of its host.
type Config struct {
	State         core.StateDir
	GuestInit     string        // path of the nodeos-init binary, PID 1 of every base
	Kernel        KernelChoice  // of new bases; default AutoKernel
	StockKernel   string        // folder with vmlinuz and modules; default DefaultStockKernel
	MinimalSource kernel.Config // of the minimal kernel; the zero value is right on a host after scripts/setup
}

// DefaultStockKernel is where scripts/setup leaves the stock kernel.
const DefaultStockKernel = "/usr/lib/gitd/kernel"

// Store makes bases and keeps them. It is safe for concurrent use.
type Store struct {
	cfg   Config
	sound *sound
}

// New is the store in cfg.State, whose folders exist.
func New(cfg Config) *Store {
	if cfg.StockKernel == "" {
		cfg.StockKernel = DefaultStockKernel
	}
	if cfg.Kernel == "" {
		cfg.Kernel = AutoKernel
	}
	return &Store{cfg: cfg, sound: &sound{}}
}

// Node is one Node, unpacked on the host.
type Node struct {
	Version string // exact, e.g. "22.23.1"
	Dir     string // Dir/bin/node is the program
}
