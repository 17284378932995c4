package core

import "fmt"

// Role is what someone may do with one app. A higher role may do everything that a lower one may do. The zero Role may
// do nothing: it does not even learn that the app exists.
type Role int

// The roles, in their order. The ledger stores these numbers.
const (
	RoleNone   Role = iota
	RoleView        // see it: its releases, its log, its state
	RoleClone       // and fetch its source
	RoleDeploy      // and push, roll back, restart
	RoleAdmin       // and change its config and its domains, and destroy it
)

var roleNames = [...]string{RoleNone: "none", RoleView: "view", RoleClone: "clone", RoleDeploy: "deploy", RoleAdmin: "admin"}

func (r Role) String() string {
	if r < 0 || int(r) >= len(roleNames) {
		return fmt.Sprintf("role %d", int(r))
	}
	return roleNames[r]
}

// ParseRole reads "view", "clone", "deploy" or "admin".
func ParseRole(s string) (Role, error) {
	for r := RoleView; r <= RoleAdmin; r++ {
		if r.String() == s {
			return r, nil
		}
	}
	return RoleNone, fmt.Errorf("there is no role %q: use view, clone, deploy or admin", s)
}

// MarshalText writes the role's name, for JSON.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }
