package core_test

import (
	"encoding/json"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func TestRoleNames(t *testing.T) {
	for _, r := range []core.Role{core.RoleView, core.RoleClone, core.RoleDeploy, core.RoleAdmin} {
		if got, err := core.ParseRole(r.String()); err != nil || got != r {
			t.Errorf("%s reads back as %s, %v", r, got, err)
		}
	}
	for _, s := range []string{"", "none", "Admin", "root"} {
		if r, err := core.ParseRole(s); err == nil || r != core.RoleNone {
			t.Errorf("%q is %s", s, r)
		}
	}
	if text, err := json.Marshal(map[string]core.Role{"shop": core.RoleView}); err != nil || string(text) != `{"shop":"view"}` {
		t.Errorf("JSON: %s, %v", text, err)
	}
}
