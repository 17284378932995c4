// Package front is what people set for the front door of an app: who gets in, how much, and what visitors see when
// nobody answers.
//
// It owns the order of such a change: first it is on disk, then the front door holds to it, and it is in the audit. It
// does not own what a rule means (package rules) nor how a request is held to it (package proxy).
package front

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// Ledger is where the rules are stored. Look-ups of what is not there return core.ErrNotFound.
type Ledger interface {
	// Rules are those of app; none if nobody has set any.
	Rules(ctx context.Context, app string) (rules.Set, error)
	// AllRules are those of all apps that have some.
	AllRules(ctx context.Context) (map[string]rules.Set, error)
	// ChangeRules stores what change does to the rules of app. change runs inside the transaction, so it must not use
	// the ledger. If it returns an error, nothing is changed.
	ChangeRules(ctx context.Context, app string, change func(s *rules.Set) error) error
}

// Router is the front door.
type Router interface {
	// Rules are those of app from now on, also while the front door does not know the app yet. When it returns, no new
	// request gets in past them.
	Rules(app string, s rules.Set)
}

// Config is what Rules work with. Every field is required.
type Config struct {
	Ledger Ledger
	Router Router
	Trail  *audit.Trail
	Label  func(ctx context.Context, app string) // writes what the ledger knows of app into its folders
	Hash   func(password string) (string, error) // a *core.Rejection says why a password cannot be one
}

// Rules changes the rules of apps. Its methods are safe for concurrent use.
type Rules struct {
	cfg Config
	mu  sync.Mutex // from reading the ledger to telling the front door, so that the newest is told last
}

// New makes a Rules.
func New(cfg Config) *Rules { return &Rules{cfg: cfg} }

// Start tells the front door the rules of all apps. It is called once, before the front door sends a request to any
// app.
func (s *Rules) Start(ctx context.Context) error {
	all, err := s.cfg.Ledger.AllRules(ctx)
	if err != nil {
		return err
	}
	for app, set := range all {
		s.cfg.Router.Rules(app, set)
	}
	return nil
}

// Serve tells the front door the rules of app. An app that does not exist has none.
func (s *Rules) Serve(ctx context.Context, app string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	set, err := s.cfg.Ledger.Rules(ctx, app)
	if core.IgnoreMissing(err) != nil {
		return err
	}
	s.cfg.Router.Rules(app, set)
	return nil
}

func (s *Rules) change(ctx context.Context, by core.Actor, app, action, detail string, change func(*rules.Set) error) error {
	if err := s.cfg.Ledger.ChangeRules(ctx, app, change); err != nil {
		return disk.Rejected(err)
	}
	s.cfg.Label(ctx, app)
	s.cfg.Trail.Note(ctx, app, by.Name, action, detail)
	return s.Serve(context.WithoutCancel(ctx), app)
}

// SetUser lets name in with a password, and reports whether name is new. From the first on, nobody gets in without.
func (s *Rules) SetUser(ctx context.Context, by core.Actor, app, name, password string) (isNew bool, err error) {
	if err := rules.CheckUserName(name); err != nil {
		return false, err
	}
	hash, err := s.cfg.Hash(password)
	if err != nil {
		return false, err
	}
	err = s.change(ctx, by, app, "auth.set", name, func(set *rules.Set) (err error) {
		isNew, err = set.SetUser(rules.User{Name: name, Hash: hash})
		return err
	})
	return isNew, err
}

// RemoveUser ends a password. Without any, everybody gets in.
func (s *Rules) RemoveUser(ctx context.Context, by core.Actor, app, name string) error {
	return s.change(ctx, by, app, "auth.remove", name, func(set *rules.Set) error {
		if !set.RemoveUser(name) {
			return core.Reject(fmt.Sprintf("%s has no password for %.70q", app, name), "`auth "+app+"` lists for whom it has")
		}
		return nil
	})
}

// AddSources lets addresses in. From the first on, no others get in.
func (s *Rules) AddSources(ctx context.Context, by core.Actor, app string, list []netip.Prefix) error {
	return s.change(ctx, by, app, "allow.add", sourceList(list), func(set *rules.Set) error { return set.AddSources(list) })
}

// RemoveSources takes addresses away, all or none. Without any, all get in.
func (s *Rules) RemoveSources(ctx context.Context, by core.Actor, app string, list []netip.Prefix) error {
	return s.change(ctx, by, app, "allow.remove", sourceList(list), func(set *rules.Set) error {
		for _, p := range list {
			if !set.RemoveSource(p) {
				return core.Reject(fmt.Sprintf("%s has no rule for %s", app, core.SourceText(p)), "`allow "+app+"` lists what it has")
			}
		}
		return nil
	})
}

func sourceList(list []netip.Prefix) string {
	var all []string
	for _, p := range list {
		all = append(all, core.SourceText(p))
	}
	return strings.Join(all, ", ")
}

// SetLimits changes limits, by their names and as people write them.
func (s *Rules) SetLimits(ctx context.Context, by core.Actor, app string, to map[string]string) error {
	var detail []string
	for _, name := range rules.LimitNames {
		if text, ok := to[name]; ok {
			detail = append(detail, name+"="+text)
		}
	}
	return s.change(ctx, by, app, "limits.change", strings.Join(detail, ","), func(set *rules.Set) error {
		for name, text := range to {
			if err := set.Limits.Change(name, text); err != nil {
				return err
			}
		}
		return nil
	})
}

// BeginMaintenance shows visitors a page in place of the app. It is no error that they see one already.
func (s *Rules) BeginMaintenance(ctx context.Context, by core.Actor, app string, m rules.Maintenance) error {
	if m.Page != "" {
		if err := rules.CheckPage(m.Page); err != nil {
			return err
		}
	}
	m.By, m.Since = by.Name, time.Now().UTC()
	return s.change(ctx, by, app, "maintenance.on", sourceList(m.Allow), func(set *rules.Set) error {
		set.Maintenance = &m
		return nil
	})
}

// EndMaintenance ends what BeginMaintenance began.
func (s *Rules) EndMaintenance(ctx context.Context, by core.Actor, app string) error {
	return s.change(ctx, by, app, "maintenance.off", "", func(set *rules.Set) error {
		if set.Maintenance == nil {
			return core.Reject(app+" is not in maintenance", "")
		}
		set.Maintenance = nil
		return nil
	})
}

// SetPage gives an app a page of its own for a status.
func (s *Rules) SetPage(ctx context.Context, by core.Actor, app string, status int, html string) error {
	return s.change(ctx, by, app, "pages.set", fmt.Sprint(status), func(set *rules.Set) error { return set.SetPage(status, html) })
}

// RemovePage takes such a page away.
func (s *Rules) RemovePage(ctx context.Context, by core.Actor, app string, status int) error {
	return s.change(ctx, by, app, "pages.remove", fmt.Sprint(status), func(set *rules.Set) error {
		if _, ok := set.Pages[status]; !ok {
			return core.Reject(fmt.Sprintf("%s has no page for %d", app, status), "`pages "+app+"` lists what it has")
		}
		delete(set.Pages, status)
		return nil
	})
}
