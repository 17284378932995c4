package core

import "time"

// Drain is a receiver of what an app says, or all apps say.
type Drain struct {
	ID     string
	App    string // empty: all apps
	URL    string // a secret: it may hold a password or a token
	Builds bool   // what deployments print is sent too
	By     string // who added it
	Added  time.Time
}

// Of reports whether d is sent what app says.
func (d Drain) Of(app string) bool { return d.App == "" || d.App == app }
