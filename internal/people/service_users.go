package people

import (
	"context"

	"github.com/nodeos-dev/gitd/internal/core"
)

// VisibleUsers are those whom by may know of, as by may know them: an
// administrator all, everyone else themselves, and a deploy key its limit.
func (s *Service) VisibleUsers(ctx context.Context, by core.Actor) ([]User, error) {
	all, err := s.Users(ctx)
	if err != nil {
		return nil, err
	}
	var visible []User
	for _, u := range all {
		switch {
		case !by.Admin && u.Name != by.Name:
		case by.Limit != core.Limit{}:
			visible = append(visible, User{Name: u.Name, Added: u.Added, Grants: []Grant{{u.Name, by.Limit.App, by.Limit.Role}}})
		default:
			visible = append(visible, u)
		}
	}
	return visible, nil
}

// AddUser adds a user without a key, for certificates to name.
func (s *Service) AddUser(ctx context.Context, by core.Actor, name string, admin bool) (said string, err error) {
	if err := requireAdmin(by); err != nil {
		return "", err
	}
	if err := CheckUserName(name); err != nil {
		return "", err
	}
	role := "no role yet"
	if admin {
		role = "administrator"
	}
	e := entry(by.Name, "", "user.add", "%s (%s)", name, role)
	return s.changeWith(ctx, e, func(e core.Entry) error { return s.store.AddUser(ctx, name, admin, e) })
}

// RenameUser gives a user another name. Keys and roles stay.
func (s *Service) RenameUser(ctx context.Context, by core.Actor, from, to string) (said string, err error) {
	if err := requireAdmin(by); err != nil {
		return "", err
	}
	if err := CheckUserName(to); err != nil {
		return "", err
	}
	e := entry(by.Name, "", "user.rename", "%s is %s now", from, to)
	return s.changeWith(ctx, e, func(e core.Entry) error { return s.store.RenameUser(ctx, from, to, e) })
}

// RemoveUser removes a user with their keys and roles. ErrLastAdmin: nobody
// could undo it over SSH.
func (s *Service) RemoveUser(ctx context.Context, by core.Actor, name string) (said string, err error) {
	if err := requireAdmin(by); err != nil {
		return "", err
	}
	e := entry(by.Name, "", "user.remove", "%s is removed, with keys and roles", name)
	return s.changeWith(ctx, e, func(e core.Entry) error { return s.store.RemoveUser(ctx, name, e) })
}

// SetAdmin makes someone an administrator, or takes that away.
func (s *Service) SetAdmin(ctx context.Context, by core.Actor, name string, admin bool) (said string, err error) {
	if err := requireAdmin(by); err != nil {
		return "", err
	}
	e := entry(by.Name, "", "user.revoke", "%s is no administrator any more", name)
	if admin {
		e = entry(by.Name, "", "user.grant", "%s is an administrator now", name)
	}
	return s.changeWith(ctx, e, func(e core.Entry) error { return s.store.SetAdmin(ctx, name, admin, e) })
}

// Grant gives someone a role on an app, in place of the one before. The app
// need not exist yet.
func (s *Service) Grant(ctx context.Context, by core.Actor, g Grant) (said string, err error) {
	if err := requireAdmin(by); err != nil {
		return "", err
	}
	if err := core.CheckName(g.App); err != nil {
		return "", err
	}
	e := entry(by.Name, g.App, "user.grant", "%s has the role %s on %s now", g.User, g.Role, g.App)
	return s.changeWith(ctx, e, func(e core.Entry) error { return s.store.Grant(ctx, g, e) })
}

// Revoke takes someone's role on an app. core.ErrNotFound: they had none.
func (s *Service) Revoke(ctx context.Context, by core.Actor, user, app string) (said string, err error) {
	if err := requireAdmin(by); err != nil {
		return "", err
	}
	e := entry(by.Name, app, "user.revoke", "%s has no role on %s any more", user, app)
	return s.changeWith(ctx, e, func(e core.Entry) error { return s.store.Revoke(ctx, user, app, e) })
}
