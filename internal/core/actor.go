package core

// Limit restricts a key to one role on one app, whatever else its owner may do. The zero Limit restricts nothing.
type Limit struct {
	App  string
	Role Role
}

// Actor is whoever does something, as far as that was proved. The zero Actor may do nothing.
type Actor struct {
	Name  string // of a user; "host" for the commands on the host
	Admin bool
	Key   string // fingerprint of the key that was proved; empty on the host

	Certificate string          // that was proved, in the form of authorized_keys; empty: Key is one that is registered
	Grants      map[string]Role // by app
	Limit       Limit           // of a deploy key
}

// Host is the actor for whoever can reach the daemon's own socket: it may do everything.
func Host() Actor { return Actor{Name: "host", Admin: true} }

// Account is whose budget a counts against: that of a user, or of a deploy key alone.
func (a Actor) Account() string {
	if a.Limit != (Limit{}) {
		return a.Key
	}
	return a.Name
}

// May reports whether a has at least role r on app. It says nothing about
// whether the app exists.
func (a Actor) May(app string, r Role) bool { return r > RoleNone && a.Role(app) >= r }

// Role is a's role on app.
func (a Actor) Role(app string) Role {
	switch {
	case a.Limit != (Limit{}) && a.Limit.App == app:
		return a.Limit.Role
	case a.Limit != (Limit{}):
		return RoleNone
	case a.Admin:
		return RoleAdmin
	default:
		return a.Grants[app]
	}
}

// MayDeploy reports whether there is an app that a may push to, or make by a first push.
func (a Actor) MayDeploy() bool {
	if a.Limit != (Limit{}) {
		return a.Limit.Role >= RoleDeploy
	}
	for app := range a.Grants {
		if a.May(app, RoleDeploy) {
			return true
		}
	}
	return a.Admin
}

// Covers reports whether a may do everything that b may do, so that a may continue what b began.
func (a Actor) Covers(b Actor) bool {
	if a.Name != b.Name || b.Admin && !a.Admin {
		return false
	}
	for app := range b.Grants {
		if a.Role(app) < b.Role(app) {
			return false
		}
	}
	return a.Role(b.Limit.App) >= b.Role(b.Limit.App)
}
