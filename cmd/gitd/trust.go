package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// trustOptions are the flags that say by what gitd believes that a Node is Node.
type trustOptions struct {
	signatures string
	keys       string // file
	second     string
	dist       string
	wait       time.Duration
}

func (o *trustOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.signatures, "signatures", string(tools.Auto), "npm's, of Node, npm, yarn and pnpm: auto (wanted once a version had one), require, or off; a wrong one is refused always")
	f.StringVar(&o.keys, "npm-keys", "", "file with the keys of the registry's signatures, as it answers /-/npm/v1/keys; empty: npm's, as gitd has them")
	f.StringVar(&o.second, "second-registry", "", "URL of another npm registry, which must have the same Node, npm, yarn and pnpm")
	f.StringVar(&o.dist, "node-dist", "", "URL of Node's own builds, as https://nodejs.org/dist/: each Node must be the same there")
	f.DurationVar(&o.wait, "node-wait", 72*time.Hour, "a version of Node, npm, yarn or pnpm that was published less long ago is taken only if it is named exactly, or is the only one")
}

func (o *trustOptions) checks() []checked {
	_, signatures := tools.ParseSignatures(o.signatures)
	_, keys := o.readKeys()
	return []checked{
		{"signatures", signatures},
		{"npm-keys", keys},
		{"second-registry", checkURL(o.second, "https://npm.example.org/", "http", "https")},
		{"node-dist", checkURL(o.dist, "https://nodejs.org/dist/", "http", "https")},
		{"node-wait", o.checkWait()},
	}
}

func (o *trustOptions) checkWait() error {
	if o.wait < 0 {
		return core.Reject("a time below zero has no meaning here", "give 0 to wait for nothing, or a time such as 72h")
	}
	return nil
}

// readKeys returns nil for npm's own.
func (o *trustOptions) readKeys() (registry.Keys, error) {
	if o.keys == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.keys)
	if err != nil {
		return nil, err
	}
	return registry.ParseKeys(text)
}

// of makes what the builder wants of the flags. taken has what was taken before; nil: no ledger has.
func (o *trustOptions) of(taken tools.Ledger) (tools.Wanted, error) {
	keys, err := o.readKeys()
	if err != nil {
		return tools.Wanted{}, fmt.Errorf("--npm-keys %s: %w", o.keys, err)
	}
	signatures, err := tools.ParseSignatures(o.signatures)
	return tools.Wanted{Ledger: taken, Signatures: signatures, Keys: keys, Second: o.second, NodeDist: o.dist, Wait: o.wait}, err
}

// takenBefore is the ledger of the state folder for a command that is not the daemon. Where there is none yet it is not
// made: it belongs to whoever runs the daemon.
func takenBefore(ctx context.Context, state core.StateDir) (taken tools.Ledger, end func() error, err error) {
	there, err := ledger.Exists(state.Ledger())
	if err != nil || !there {
		return nil, func() error { return nil }, err
	}
	l, err := openLedger(ctx, state)
	if err != nil {
		return nil, nil, err
	}
	return l, l.Close, nil
}
