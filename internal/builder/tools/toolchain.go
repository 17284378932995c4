package tools

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Shop is where the programs come from. It is safe for concurrent use.
type Shop struct {
	Registry *registry.Client
	Trust    Trust
	Room     func(what string) error // refuses a download that the disk has no room for
	Log      zerolog.Logger
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

	Why      string   // of Node, for people
	Warnings []string // for the pusher
}

// Base is the part of t that a base is made of.
func (t Toolchain) Base() base.Node { return base.Node{Version: t.Node, Dir: t.NodeDir} }

// Ensure makes or finds the Node that is wished for, its npm, and the package manager. A wish that cannot be
// met is a *core.Rejection.
func (s *Shop) Ensure(ctx context.Context, wish nodeapp.NodeWish, m nodeapp.Manager, r *progress.Report) (Toolchain, error) {
	name, err := nodePackage()
	if err != nil {
		return Toolchain{}, err
	}
	nodes, err := s.versions(ctx, name, r)
	if err != nil {
		return Toolchain{}, err
	}
	var why string
	node, err := s.pick(nodes, r, func(all []registry.Version) (v registry.Version, err error) {
		v, why, err = pickNode(wish, all)
		return v, err
	})
	if err != nil {
		return Toolchain{}, err
	}
	t := Toolchain{Node: node.Number.String(), Why: why}
	npm := m
	if m.Tool != nodeapp.NPM {
		npm = nodeapp.Manager{Tool: nodeapp.NPM}
	}
	if err := s.addNPM(ctx, &t, npm, node.Number, r); err != nil {
		return Toolchain{}, err
	}
	if m.Tool != nodeapp.NPM {
		if err := s.addManager(ctx, &t, m, node.Number, r); err != nil {
			return Toolchain{}, err
		}
	}
	t.NodeDir, err = s.fetch(ctx, node, r)
	return t, err
}

// Used notes that a build has taken t, so that no sweep removes it soon.
func (t Toolchain) Used() {
	now := time.Now()
	for _, dir := range []string{t.NodeDir, t.NPMDir, t.Manager.Dir} {
		os.Chtimes(dir, now, now) //nolint:errcheck // at worst it is fetched again
	}
}

// download brings v here, if it is not.
func (s *Shop) download(ctx context.Context, v registry.Version, r *progress.Report) (string, error) {
	if !s.Registry.Has(v) {
		if err := s.Room(fmt.Sprintf("%s %s", v.Name, v.Number)); err != nil {
			return "", err
		}
		r.Detail("fetching %s %s from the npm registry", v.Name, v.Number)
	}
	return s.Registry.Fetch(ctx, v)
}

func (s *Shop) versions(ctx context.Context, name string, r *progress.Report) ([]registry.Version, error) {
	p, err := s.Registry.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	if p.Stale != nil {
		s.Log.Warn().Err(p.Stale).Str("package", name).Msg("the npm registry does not answer")
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
