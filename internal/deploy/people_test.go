package deploy_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"gitd/internal/deploy"
)

func TestMay(t *testing.T) {
	sam := deploy.Actor{Name: "sam", Grants: map[string]deploy.Role{"shop": deploy.RoleDeploy, "blog": deploy.RoleView}}
	ci := deploy.Actor{Name: "ci", Admin: true, Grants: sam.Grants, Only: deploy.Limit{App: "shop", Role: deploy.RoleDeploy}}
	for _, tt := range []struct {
		who  string
		a    deploy.Actor
		app  string
		role deploy.Role
		want bool
	}{
		{"nobody", deploy.Actor{}, "shop", deploy.RoleView, false},
		{"nobody, nothing", deploy.Actor{}, "shop", deploy.RoleNone, false},
		{"host", deploy.Host(), "anything", deploy.RoleAdmin, true},
		{"host, no role", deploy.Host(), "shop", deploy.RoleNone, false},
		{"sam", sam, "shop", deploy.RoleView, true},
		{"sam", sam, "shop", deploy.RoleDeploy, true},
		{"sam", sam, "shop", deploy.RoleAdmin, false},
		{"sam", sam, "blog", deploy.RoleDeploy, false},
		{"sam", sam, "other", deploy.RoleView, false},
		{"a deploy key", ci, "shop", deploy.RoleDeploy, true},
		{"a deploy key", ci, "shop", deploy.RoleAdmin, false},
		{"a deploy key of an administrator", ci, "blog", deploy.RoleView, false},
		{"a deploy key, no app", ci, "", deploy.RoleView, false},
	} {
		if got := tt.a.May(tt.app, tt.role); got != tt.want {
			t.Errorf("%s may %s on %q: %v", tt.who, tt.role, tt.app, got)
		}
	}
}

func TestCovers(t *testing.T) {
	with := func(r deploy.Role) deploy.Actor {
		return deploy.Actor{Name: "sam", Grants: map[string]deploy.Role{"shop": r}}
	}
	admin := deploy.Actor{Name: "sam", Admin: true, Grants: map[string]deploy.Role{}}
	key := deploy.Actor{Name: "sam", Only: deploy.Limit{App: "shop", Role: deploy.RoleDeploy}}
	lower := deploy.Actor{Name: "sam", Only: deploy.Limit{App: "shop", Role: deploy.RoleView}}
	for _, tt := range []struct {
		name     string
		now, was deploy.Actor
		want     bool
	}{
		{"the same", with(deploy.RoleView), with(deploy.RoleView), true},
		{"a higher role", with(deploy.RoleAdmin), with(deploy.RoleView), true},
		{"a lower role", with(deploy.RoleView), with(deploy.RoleDeploy), false},
		{"no role", deploy.Actor{Name: "sam"}, with(deploy.RoleView), false},
		{"an administrator now", admin, with(deploy.RoleDeploy), true},
		{"no administrator any more", with(deploy.RoleAdmin), admin, false},
		{"someone else", deploy.Actor{Name: "eve", Admin: true}, with(deploy.RoleView), false},
		{"limited now", key, admin, false},
		{"a lower limit", lower, key, false},
		{"the same limit", key, key, true},
	} {
		if got := tt.now.Covers(tt.was); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestRoleNames(t *testing.T) {
	for _, r := range []deploy.Role{deploy.RoleView, deploy.RoleDeploy, deploy.RoleAdmin} {
		if got, err := deploy.ParseRole(r.String()); err != nil || got != r {
			t.Errorf("%s reads back as %s, %v", r, got, err)
		}
	}
	for _, s := range []string{"", "none", "Admin", "root"} {
		if r, err := deploy.ParseRole(s); err == nil || r != deploy.RoleNone {
			t.Errorf("%q is %s", s, r)
		}
	}
	if text, err := json.Marshal(map[string]deploy.Role{"shop": deploy.RoleView}); err != nil || string(text) != `{"shop":"view"}` {
		t.Errorf("JSON: %s, %v", text, err)
	}
}

// TestCodes: long enough, readable, usable as the user of an ssh line, and
// found however it is typed.
func TestCodes(t *testing.T) {
	form := regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{4}-){3}[0-9a-hjkmnp-tv-z]{4}$`)
	seen := map[string]bool{}
	for range 1000 {
		code := deploy.NewCode()
		if !form.MatchString(code) || seen[code] {
			t.Fatalf("code %q", code)
		}
		seen[code] = true
	}
	open := []deploy.Invitation{{Name: "ada", Hash: deploy.HashCode("0000-1111-abcd-efgh")}, {Name: "sam", Hash: deploy.HashCode("zzzz-zzzz-zzzz-zzzz")}}
	for _, typed := range []string{"0000-1111-abcd-efgh", "00001111ABCDEFGH", "oOo0-iIlL-abcd-efgh"} {
		if i, ok := deploy.FindInvitation(open, typed); !ok || i.Name != "ada" {
			t.Errorf("%q opens %+v", typed, i)
		}
	}
	for _, typed := range []string{"", "0000-1111-abcd-efgj", open[0].Hash, strings.Repeat("z", 17)} {
		if i, ok := deploy.FindInvitation(open, typed); ok {
			t.Errorf("%q opens %+v", typed, i)
		}
	}
}

func TestUserNames(t *testing.T) {
	for _, name := range []string{"ada", "ada@laptop", "Ada.L-2", "7"} {
		if err := deploy.CheckUserName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "-x", "a b", "../a", "a\n", "host", "gitd", "ä", strings.Repeat("a", 65)} {
		if deploy.CheckUserName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}
