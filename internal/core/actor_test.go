package core_test

import (
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestMay(t *testing.T) {
	sam := core.Actor{Name: "sam", Grants: map[string]core.Role{"shop": core.RoleDeploy, "blog": core.RoleView}}
	ci := core.Actor{Name: "ci", Admin: true, Grants: sam.Grants, Limit: core.Limit{App: "shop", Role: core.RoleDeploy}}
	for _, tt := range []struct {
		who  string
		a    core.Actor
		app  string
		role core.Role
		want bool
	}{
		{"nobody", core.Actor{}, "shop", core.RoleView, false},
		{"nobody, nothing", core.Actor{}, "shop", core.RoleNone, false},
		{"host", core.Host(), "anything", core.RoleAdmin, true},
		{"host, no role", core.Host(), "shop", core.RoleNone, false},
		{"sam", sam, "shop", core.RoleView, true},
		{"sam", sam, "shop", core.RoleDeploy, true},
		{"sam", sam, "shop", core.RoleAdmin, false},
		{"sam", sam, "blog", core.RoleDeploy, false},
		{"sam", sam, "blog", core.RoleClone, false},
		{"sam", sam, "shop", core.RoleClone, true},
		{"sam", sam, "other", core.RoleView, false},
		{"a deploy key", ci, "shop", core.RoleDeploy, true},
		{"a deploy key", ci, "shop", core.RoleAdmin, false},
		{"a deploy key of an administrator", ci, "blog", core.RoleView, false},
		{"a deploy key, no app", ci, "", core.RoleView, false},
	} {
		if got := tt.a.May(tt.app, tt.role); got != tt.want {
			t.Errorf("%s may %s on %q: %v", tt.who, tt.role, tt.app, got)
		}
	}
}

func TestCovers(t *testing.T) {
	with := func(r core.Role) core.Actor {
		return core.Actor{Name: "sam", Grants: map[string]core.Role{"shop": r}}
	}
	admin := core.Actor{Name: "sam", Admin: true, Grants: map[string]core.Role{}}
	key := core.Actor{Name: "sam", Limit: core.Limit{App: "shop", Role: core.RoleDeploy}}
	lower := core.Actor{Name: "sam", Limit: core.Limit{App: "shop", Role: core.RoleView}}
	for _, tt := range []struct {
		name     string
		now, was core.Actor
		want     bool
	}{
		{"the same", with(core.RoleView), with(core.RoleView), true},
		{"a higher role", with(core.RoleAdmin), with(core.RoleView), true},
		{"a lower role", with(core.RoleView), with(core.RoleDeploy), false},
		{"no role", core.Actor{Name: "sam"}, with(core.RoleView), false},
		{"an administrator now", admin, with(core.RoleDeploy), true},
		{"no administrator any more", with(core.RoleAdmin), admin, false},
		{"someone else", core.Actor{Name: "eve", Admin: true}, with(core.RoleView), false},
		{"limited now", key, admin, false},
		{"a lower limit", lower, key, false},
		{"the same limit", key, key, true},
	} {
		if got := tt.now.Covers(tt.was); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
