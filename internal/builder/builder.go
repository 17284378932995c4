package builder

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"gitd/internal/builder/sandbox"
	"gitd/internal/deploy"
)

// Config is what a Builder needs to know of its host.
type Config struct {
	State       deploy.StateDir
	GuestInit   string // path of the nodeos-init binary, PID 1 of every base
	StockKernel string // folder with vmlinuz and modules; default DefaultStockKernel
	Registry    string // npm registry's URL; empty: npm's own setting, then npm's default

	BuildTimeout     time.Duration // for one npm command; default 15 minutes
	AllowUnsandboxed bool          // build without a sandbox where none can be had
	Self             []string      // argv prefix that runs SandboxMain; default: this program, "sandbox"

	Log zerolog.Logger
}

// Builder makes images. It is safe for concurrent use.
type Builder struct {
	cfg Config
}

// Toolchain is one Node with its npm, unpacked on the host.
type Toolchain struct {
	Node, NPM       string // exact versions, e.g. "22.23.1"
	NodeDir, NPMDir string // unpacked packages: NodeDir/bin/node, NPMDir/bin/npm-cli.js
}

// DefaultStockKernel is where scripts/setup leaves the stock kernel.
const DefaultStockKernel = "/usr/lib/gitd/kernel"

const defaultBuildTimeout = 15 * time.Minute

// New prepares a builder.
func New(cfg Config) (*Builder, error) {
	if cfg.StockKernel == "" {
		cfg.StockKernel = DefaultStockKernel
	}
	if cfg.BuildTimeout == 0 {
		cfg.BuildTimeout = defaultBuildTimeout
	}
	return &Builder{cfg: cfg}, nil
}

// Build makes or finds the layers of src.
func (b *Builder) Build(ctx context.Context, src deploy.Source, r *deploy.Report) (deploy.Manifest, error) {
	return deploy.Manifest{}, errors.ErrUnsupported
}

// PrepareBase makes or finds the base with the default line of Node and
// returns its id.
func (b *Builder) PrepareBase(ctx context.Context, r *deploy.Report) (id string, err error) {
	return "", errors.ErrUnsupported
}

// SandboxMain is the command that Config.Self names: it runs inside a sandbox
// before the build's own command, and becomes it. It is not for people.
func SandboxMain(args []string) int { return sandbox.Main(args) }
