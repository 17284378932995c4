package apps

import (
	"context"
	"fmt"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// Networks changes what apps may reach beside the public internet, and how fast they may send. Whoever asks is an
// administrator of gitd: what is opened is the operator's network, and not the app's. Its methods are safe for
// concurrent use.
type Networks struct{ cfg Config }

// NewNetworks makes a Networks.
func NewNetworks(cfg Config) *Networks { return &Networks{cfg} }

// AllowEgress adds rules for an app, all or none. It is no error that it has one already.
func (s *Networks) AllowEgress(ctx context.Context, by core.Actor, app string, rules []core.EgressRule) error {
	return s.change(ctx, by, app, "network.allow", joinRules(rules), func(n *core.Network) error {
		for _, r := range rules {
			if _, err := n.Allow(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// DenyEgress takes rules away, all or none. It is a *core.Rejection that the app has no such rule.
func (s *Networks) DenyEgress(ctx context.Context, by core.Actor, app string, rules []core.EgressRule) error {
	return s.change(ctx, by, app, "network.deny", joinRules(rules), func(n *core.Network) error {
		for _, r := range rules {
			if !n.Deny(r) {
				return core.Reject(fmt.Sprintf("there is no rule %s for %s", r, app),
					fmt.Sprintf("`network %s` lists them; those of all apps are the flags --allow-egress of gitd serve", app))
			}
		}
		return nil
	})
}

// SetEgressRate sets how many bytes a machine of app may send in a second; 0: as every app, core.NoRate: no limit.
func (s *Networks) SetEgressRate(ctx context.Context, by core.Actor, app string, rate int64) error {
	detail := core.RateString(rate, 0)
	if rate == 0 {
		detail = "as for all apps"
	}
	return s.change(ctx, by, app, "network.rate", detail, func(n *core.Network) error {
		n.Rate = rate
		return nil
	})
}

func (s *Networks) change(ctx context.Context, by core.Actor, app, action, detail string, change func(n *core.Network) error) error {
	if err := s.cfg.Ledger.ChangeNetwork(ctx, app, change); err != nil {
		return err
	}
	s.cfg.Trail.Note(ctx, app, by.Name, action, detail)
	return fleet.Restrict(ctx, s.cfg.Fleet, app)
}

func joinRules(rules []core.EgressRule) string {
	var all []string
	for _, r := range rules {
		all = append(all, r.String())
	}
	return strings.Join(all, ", ")
}
