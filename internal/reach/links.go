package reach

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// Links says which apps reach which others. Whoever changes them is an administrator of gitd. Its methods are safe for
// concurrent use.
type Links struct{ cfg Config }

// NewLinks makes a Links.
func NewLinks(cfg Config) *Links { return &Links{cfg} }

// AddLink lets app reach target at once. variable is the name of the config variable that the caller sets with it;
// empty: none.
func (s *Links) AddLink(ctx context.Context, by core.Actor, app, target, variable string) (core.Link, error) {
	if app == target {
		return core.Link{}, core.Reject(app+" reaches itself without a link", "at 127.0.0.1, on the port at which it listens")
	}
	l, err := s.cfg.Ledger.AddLink(ctx, core.Link{App: app, Target: target, Var: variable, By: by.Name, Created: time.Now()})
	if err != nil {
		return l, err
	}
	s.cfg.Trail.Note(ctx, app, by.Name, "links.add", target+as(variable))
	s.cfg.Trail.Note(ctx, target, by.Name, "links.add", "from "+app)
	return l, fleet.Restrict(ctx, s.cfg.Fleet, app)
}

func as(variable string) string {
	if variable == "" {
		return ""
	}
	return " as " + variable
}

// RemoveLink takes a link away. What was connected by it is cut.
func (s *Links) RemoveLink(ctx context.Context, by core.Actor, app, target string) error {
	err := s.cfg.Ledger.RemoveLink(ctx, app, target)
	if errors.Is(err, core.ErrNotFound) {
		return core.Reject(fmt.Sprintf("%s is not linked to %s", app, target), fmt.Sprintf("`links %s` lists its links", app))
	}
	if err != nil {
		return err
	}
	s.cfg.Trail.Note(ctx, app, by.Name, "links.remove", target)
	s.cfg.Trail.Note(ctx, target, by.Name, "links.remove", "from "+app)
	return fleet.Restrict(ctx, s.cfg.Fleet, app)
}

// LinksOf are the links of app, those to others and those of others to it; of all apps if it is empty.
func (s *Links) LinksOf(ctx context.Context, app string) ([]core.Link, error) {
	all, err := s.cfg.Ledger.Links(ctx, app)
	if err != nil || app == "" {
		return all, err
	}
	to, err := s.cfg.Ledger.LinksTo(ctx, app)
	all = append(all, to...)
	slices.SortFunc(all, func(a, b core.Link) int { return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Target, b.Target)) })
	return all, err
}

// To finds the apps that are linked to target. The function that it returns has their machines know what has become of
// target since: another name, or an end. What cannot be told holds when their next machines start; until then they
// reach nobody else, because a link leads to an app and not to a name.
func (s *Links) To(ctx context.Context, target string) (tell func(ctx context.Context)) {
	links, err := s.cfg.Ledger.LinksTo(ctx, target)
	return func(ctx context.Context) {
		for _, l := range links {
			err = errors.Join(err, fleet.Restrict(ctx, s.cfg.Fleet, l.App))
		}
		if err != nil {
			s.cfg.Log.Warn("not all apps that are linked to an app know of its change", "app", target, "error", err)
		}
	}
}
