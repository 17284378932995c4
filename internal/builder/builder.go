package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder/egress"
	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/builder/sandbox"
	"github.com/nodeos-dev/gitd/internal/builder/tools"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// Config is what a Builder needs to know of its host.
type Config struct {
	State    core.StateDir
	Bases    *base.Store
	Registry string // npm registry's URL; empty: npm's own setting, then npm's default
	Trust    tools.Wanted

	BuildTimeout     time.Duration // for one build command; default 15 minutes
	RequireLockfile  bool          // refuse dependencies without a lockfile, instead of making one
	AllowUnsandboxed bool          // build without a sandbox where none can be had
	Packer           *walls.Walls  // around the packer of layers; nil: none
	Self             []string      // argv prefix that runs SandboxMain; default: this program, "sandbox"

	Log zerolog.Logger
}

// Builder makes images. It is safe for concurrent use.
type Builder struct {
	cfg      Config
	layers   image.Layers
	registry *registry.Client
	tools    *tools.Shop
	egress   *egress.Proxy
	box      *sandbox.Sandbox // nil: this host has none
	boxErr   error            // why
	memory   int64            // bytes that one build may use at a time; 0: no limit
	lock     *os.File         // held while this process may have builds; see tidy
}

const defaultBuildTimeout = 15 * time.Minute

// New prepares a builder; State's folders exist. A host that cannot sandbox
// builds is no error here, because apps without dependencies need no sandbox:
// it is logged, and returned by CheckSandbox.
func New(cfg Config) (*Builder, error) {
	if cfg.BuildTimeout == 0 {
		cfg.BuildTimeout = defaultBuildTimeout
	}
	if len(cfg.Self) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		cfg.Self = []string{self, "sandbox"}
	}
	b := &Builder{cfg: cfg, layers: image.OpenLayers(cfg.State), memory: sandbox.MostMemory()}
	if err := b.tidy(); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", cfg.State.Builds(), err)
	}
	var err error
	b.registry, err = registry.New(registry.Choose(cfg.Registry), b.toolCache(), cfg.State.Builds())
	if err != nil {
		return nil, err
	}
	if registry.Plain(b.registry.URL()) {
		cfg.Log.Warn().Stringer("registry", b.registry.URL()).
			Msg("the npm registry is asked over http: whoever is on the way can change what apps and Node itself are made of")
	}
	trust, err := cfg.Trust.Trust(b.registry, filepath.Join(cfg.State.Cache(), "second"), cfg.State.Builds())
	if err != nil {
		return nil, err
	}
	b.tools = &tools.Shop{Registry: b.registry, Trust: trust, Room: b.checkToolRoom, Log: cfg.Log}
	b.egress = egress.New(b.registry.URL())
	if cfg.Packer != nil && cfg.Packer.Up() { // without walls there is no sandbox either, which is logged
		b.layers = b.layers.Behind(cfg.Packer)
	}
	if b.box, b.boxErr = findSandbox(cfg); b.boxErr != nil {
		cfg.Log.Warn().Err(b.boxErr).Bool("unsandboxed_allowed", cfg.AllowUnsandboxed).Msg("no sandbox for builds")
	} else if b.box.SharesProc() {
		cfg.Log.Info().Msg("builds see the names of the processes in this container: the kernel allows them no /proc of their own")
	}
	if b.box != nil {
		cfg.Log.Info().Bool("control_groups", b.box.Grouped()).Int64("memory_mib", b.memory>>20).Msg("builds have limits")
	}
	return b, nil
}

// toolCache is where the registry's packages are: Node and npm.
func (b *Builder) toolCache() string { return filepath.Join(b.cfg.State.Cache(), "npm") }

func findSandbox(cfg Config) (*sandbox.Sandbox, error) {
	box, err := sandbox.New(cfg.Self)
	if err != nil {
		return nil, err
	}
	if err := box.Probe(context.Background(), cfg.State.Builds()); err != nil {
		return nil, err
	}
	return box, nil
}

// CheckSandbox says why this host cannot sandbox builds, or nil. The error wraps sandbox.ErrUnavailable.
func (b *Builder) CheckSandbox() error { return b.boxErr }

// tidy removes what builds of killed processes left. Every process that may
// have builds shares a lock, so whoever gets it alone knows that all of them
// have ended.
func (b *Builder) tidy() error {
	dir := b.cfg.State.Builds()
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	b.lock = f
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		// A start does not depend on it: what is left takes room, and no more.
		if err := removeChildren(dir); err != nil {
			b.cfg.Log.Error().Err(err).Msg("what ended builds have left cannot be removed")
		}
	} else if errors.Is(err, unix.EWOULDBLOCK) {
		err = nil
	}
	return errors.Join(err, unix.Flock(int(f.Fd()), unix.LOCK_SH))
}

// Tools is where b's programs come from.
func (b *Builder) Tools() *tools.Shop { return b.tools }

// PrepareBase makes or finds the base with the default line of Node and
// returns its id.
func (b *Builder) PrepareBase(ctx context.Context, r *progress.Report) (id string, err error) {
	t, err := b.tools.Ensure(ctx, nodeapp.NodeWish{}, nodeapp.Manager{Tool: nodeapp.NPM}, r)
	if err != nil {
		return "", err
	}
	return b.cfg.Bases.Ensure(ctx, t.Base(), r)
}

// SandboxMain is the command that Config.Self names: it runs inside a sandbox
// before the build's own command, and becomes it. It is not for people.
func SandboxMain(args []string) int { return sandbox.Main(args) }
