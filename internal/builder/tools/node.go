package tools

import (
	"context"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Nodes are the published versions of Node.
func (s *Shop) Nodes(ctx context.Context, r *progress.Report) ([]registry.Version, error) {
	name, err := nodePackage()
	if err != nil {
		return nil, err
	}
	return s.versions(ctx, name, r)
}

// Pick chooses the Node that a build with wish would take, if there were only those that fit. A wish that none of them
// meets is a *core.Rejection, and so is that none fits.
func (s *Shop) Pick(all []registry.Version, wish nodeapp.NodeWish, fits func(*semver.Version) bool, r *progress.Report) (registry.Version, error) {
	var some []registry.Version
	for _, v := range all {
		if fits(v.Number) {
			some = append(some, v)
		}
	}
	if len(some) == 0 {
		return registry.Version{}, core.Reject("no such Node is published", "")
	}
	return s.pick(some, r, func(all []registry.Version) (registry.Version, error) {
		v, _, err := pickNode(wish, all)
		return v, err
	})
}

// Node makes or finds the Node v.
func (s *Shop) Node(ctx context.Context, v registry.Version, r *progress.Report) (base.Node, error) {
	dir, err := s.fetch(ctx, v, r)
	return base.Node{Version: v.Number.String(), Dir: dir}, err
}
