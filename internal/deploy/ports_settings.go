package deploy

import (
	"context"

	"gitd/internal/core"
)

// Settings is what people set for an app, beside what its repository says.
type Settings interface {
	Vars
	Overrides
	Domains
}

// Overrides are resources that were set for an app by hand: they go before
// those in its package.json.
type Overrides interface {
	// Resources are those set for app; zero fields are not set.
	Resources(ctx context.Context, app string) (core.Resources, error)
	// SetResources replaces what was set.
	SetResources(ctx context.Context, app string, r core.Resources) error
}

// Vars is the config of the apps: environment variables, secrets among them.
// It belongs to the app and not to a release: a rollback brings no old
// password back. Look-ups of an unknown app return ErrNotFound.
type Vars interface {
	// Vars are the variables of app; none is an empty map.
	Vars(ctx context.Context, app string) (map[string]string, error)
	// SetVars changes the variables of app, all or none. To unset what is
	// not set is no error. What CheckVars refuses is refused.
	SetVars(ctx context.Context, app string, set map[string]string, unset []string) error
}

// Domains are the host names at which apps are served beside their own.
type Domains interface {
	// Domains are the host names of app, sorted; an empty app means all, and
	// an unknown one has none.
	Domains(ctx context.Context, app string) ([]core.Domain, error)
	// AddDomain gives host to app. A host that another app has is a
	// *Rejection; one that app has already is no error.
	AddDomain(ctx context.Context, app, host string) error
	// RemoveDomain returns ErrNotFound if app has no such host.
	RemoveDomain(ctx context.Context, app, host string) error
}
