package apps

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// Policies says what may be deployed to apps. Its methods are safe for concurrent use.
type Policies struct{ cfg Config }

// NewPolicies makes a Policies.
func NewPolicies(cfg Config) *Policies { return &Policies{cfg} }

// SetOnlyTags says whether a push of app's deploy branch is refused, so that tags alone deploy. It counts from the next
// push on.
func (s *Policies) SetOnlyTags(ctx context.Context, by core.Actor, app string, only bool) error {
	err := s.cfg.Ledger.ChangeApp(ctx, app, func(a *core.App) error {
		a.OnlyTags = only
		return nil
	})
	if err == nil {
		s.cfg.Label(ctx, app)
		s.cfg.Trail.Note(ctx, app, by.Name, "deploys.only-tags", map[bool]string{true: "on", false: "off"}[only])
	}
	return disk.Rejected(err)
}
