package builder

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// registryURL is the registry to use: the operator's, else what npm's own
// variable says, else npm's default.
func registryURL(cfg Config) string {
	for _, u := range []string{cfg.Registry, os.Getenv("npm_config_registry"), os.Getenv("NPM_CONFIG_REGISTRY")} {
		if u != "" {
			return u
		}
	}
	return registry.Default
}

// nodePackage is where the official builds of Node are on npm.
func nodePackage() (string, error) {
	arch, ok := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if !ok {
		return "", fmt.Errorf("there is no Node for %s on npm", runtime.GOARCH)
	}
	return "node-linux-" + arch, nil
}

// Toolchain is one Node with its npm and the app's package manager, unpacked on the host.
type Toolchain struct {
	Node, NPM       string // exact versions, e.g. "22.23.1"
	NodeDir, NPMDir string // unpacked packages: NodeDir/bin/node, NPMDir/bin/npm-cli.js
	Manager         Manager

	why      string // of Node, for people
	warnings []string
}

// base is the part of t that a base is made of.
func (t Toolchain) base() base.Node { return base.Node{Version: t.Node, Dir: t.NodeDir} }

// ensureToolchain makes or finds the Node that is wished for, its npm, and the package manager. A wish that cannot be
// met is a *core.Rejection.
func (b *Builder) ensureToolchain(ctx context.Context, wish nodeapp.NodeWish, m nodeapp.Manager, r *progress.Report) (Toolchain, error) {
	name, err := nodePackage()
	if err != nil {
		return Toolchain{}, err
	}
	nodes, err := b.versions(ctx, name, r)
	if err != nil {
		return Toolchain{}, err
	}
	node, why, err := pickNode(wish, nodes)
	if err != nil {
		return Toolchain{}, err
	}
	t := Toolchain{Node: node.Number.String(), why: why}
	npm := m
	if m.Tool != nodeapp.NPM {
		npm = nodeapp.Manager{Tool: nodeapp.NPM}
	}
	if err := b.addNPM(ctx, &t, npm, node.Number, r); err != nil {
		return Toolchain{}, err
	}
	if m.Tool != nodeapp.NPM {
		if err := b.addManager(ctx, &t, m, node.Number, r); err != nil {
			return Toolchain{}, err
		}
	}
	t.NodeDir, err = b.fetch(ctx, node, r)
	return t, err
}

// used notes that a build has taken t, so that no sweep removes it soon.
func (t Toolchain) used() {
	now := time.Now()
	for _, dir := range []string{t.NodeDir, t.NPMDir, t.Manager.Dir} {
		os.Chtimes(dir, now, now) //nolint:errcheck // at worst it is fetched again
	}
}

func (b *Builder) fetch(ctx context.Context, v registry.Version, r *progress.Report) (string, error) {
	if !b.registry.Has(v) {
		if err := b.checkToolRoom(fmt.Sprintf("%s %s", v.Name, v.Number)); err != nil {
			return "", err
		}
		r.Detail("fetching %s %s from the npm registry", v.Name, v.Number)
	}
	return b.registry.Fetch(ctx, v)
}

func (b *Builder) versions(ctx context.Context, name string, r *progress.Report) ([]registry.Version, error) {
	p, err := b.registry.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	if p.Stale != nil {
		b.cfg.Log.Warn().Err(p.Stale).Str("package", name).Msg("the npm registry does not answer")
		r.Warn("the npm registry does not answer; using what was known on %s", p.Read.Format("2 January 15:04"))
	}
	return p.Versions, nil
}

// pickNode chooses the Node for what a repository asks for; why says by which rule.
func pickNode(wish nodeapp.NodeWish, all []registry.Version) (v registry.Version, why string, err error) {
	published, byNumber := make([]*semver.Version, len(all)), map[*semver.Version]registry.Version{}
	for i, v := range all {
		published[i], byNumber[v.Number] = v.Number, v
	}
	number, why, err := wish.Pick(published)
	if err != nil {
		return registry.Version{}, "", err
	}
	return byNumber[number], why, nil
}
