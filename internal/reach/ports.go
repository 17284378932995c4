// Package reach is who reaches an app by TCP: the ports of the host that lead to it, and the apps that are linked to
// it.
//
// It owns who may have which port, and who is linked to whom, each change with its entry in the audit. It does not own
// how connections are carried (package tcp), nor how a machine's network keeps to its links (package gateway).
package reach

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

// Ledger is what is stored of ports and links. Each method is one transaction. Look-ups of what is not there return
// core.ErrNotFound.
type Ledger interface {
	App(ctx context.Context, name string) (core.App, error)
	// HostPorts are those of app, or of all apps if it is empty, by their numbers.
	HostPorts(ctx context.Context, app string) ([]offer.HostPort, error)
	// TakePorts gives ports to apps, all or none. One that another app has is a *core.Rejection.
	TakePorts(ctx context.Context, ports []offer.HostPort) error
	GivePort(ctx context.Context, app string, host int) error
	// Offer is what can be reached of app.
	Offer(ctx context.Context, app string) (offer.Offer, error)

	// Links are those of app to others, or those of all apps if it is empty.
	Links(ctx context.Context, app string) ([]core.Link, error)
	LinksTo(ctx context.Context, target string) ([]core.Link, error)
	AddLink(ctx context.Context, l core.Link) (core.Link, error)
	RemoveLink(ctx context.Context, app, target string) error
}

// Router carries the connections: see package tcp.
type Router interface {
	// Reserve opens a port of the host for an app, or says why it cannot.
	Reserve(p offer.HostPort) error
	// Reload has the ports of app be those that the ledger knows now.
	Reload(app string)
}

// Config is what Ports and Links work with. Every field is required.
type Config struct {
	Ledger Ledger
	Router Router
	Fleet  *fleet.Fleet
	Trail  *audit.Trail
	Log    *slog.Logger

	Ranges []offer.Range // of the host's ports, of which every app may take those that are free
	Own    []int         // ports of the host that gitd itself has
}

// Ports says which ports of the host lead to which app. Its methods are safe for concurrent use.
type Ports struct{ cfg Config }

// NewPorts makes a Ports.
func NewPorts(cfg Config) *Ports { return &Ports{cfg} }

// Claim says why app cannot have the ports of the host that its next release exposes, or opens them for it.
func (s *Ports) Claim(ctx context.Context, app string, e core.Expose) error {
	if len(e.TCP) == 0 {
		return nil
	}
	have, err := s.cfg.Ledger.HostPorts(ctx, app)
	if err != nil {
		return err
	}
	have = offer.StillAllowed(have, s.cfg.Ranges)
	var taken []offer.HostPort
	for _, port := range e.TCP {
		for _, p := range have {
			if p.Port == port {
				taken = append(taken, p)
			}
		}
		if slices.ContainsFunc(have, func(p offer.HostPort) bool { return p.Port == port }) {
			continue
		}
		p := offer.HostPort{App: app, Host: port, Port: port, Range: true}
		if len(offer.StillAllowed([]offer.HostPort{p}, s.cfg.Ranges)) == 0 {
			return notAllowed(app, port)
		}
		if err := s.checkOwn(p); err != nil {
			return err
		}
		taken = append(taken, p)
	}
	if err := s.cfg.Ledger.TakePorts(ctx, taken); err != nil {
		return withHint(app, err)
	}
	for _, p := range taken {
		if err := s.cfg.Router.Reserve(p); err != nil {
			return err
		}
	}
	return nil
}

func notAllowed(app string, port int) error {
	return core.Reject(fmt.Sprintf("port %d of this server is not open to %s", port, app),
		fmt.Sprintf("an administrator opens it: `ports:allow %s %d`, or another one that leads to it: `ports:allow %s %d:%d`\n"+
			`(before a first push: `+"`apps:create %s`"+`). If only linked apps are to reach it, it needs no port of the server: "expose": {"internal": [%d]}`,
			app, port, app, otherPort(port), port, app, port))
}

// otherPort is an example of another port of the host.
func otherPort(port int) int {
	if port < 50_000 {
		return port + 10_000
	}
	return port - 10_000
}

// withHint says how an app gets a port all the same.
func withHint(app string, err error) error {
	r, is := errors.AsType[*core.Rejection](err)
	if !is || r.Hint != "" {
		return err
	}
	return &core.Rejection{
		Reason: r.Reason, Err: r.Err,
		Hint: fmt.Sprintf("`ports` lists who has which, for administrators; another port can lead to the app's: `ports:allow %s 15432:5432`", app),
	}
}

// checkOwn refuses a port that gitd itself has.
func (s *Ports) checkOwn(p offer.HostPort) error {
	if !slices.Contains(s.cfg.Own, p.Host) {
		return nil
	}
	return core.Reject(fmt.Sprintf("port %d of this server is gitd's own", p.Host),
		fmt.Sprintf("choose another one that leads to the app's: `ports:allow %s %d:%d`", p.App, otherPort(p.Host), p.Port))
}

// AllowPort gives a port of the host to an app. It leads there as soon as a release exposes the port of the app.
func (s *Ports) AllowPort(ctx context.Context, by core.Actor, p offer.HostPort) error {
	if err := s.checkOwn(p); err != nil {
		return err
	}
	before, err := s.cfg.Ledger.HostPorts(ctx, p.App)
	if err != nil {
		return err
	}
	if err := s.cfg.Ledger.TakePorts(ctx, []offer.HostPort{p}); err != nil {
		return withHint(p.App, err)
	}
	if err := s.cfg.Router.Reserve(p); err != nil {
		known := slices.ContainsFunc(before, func(b offer.HostPort) bool { return b.Host == p.Host })
		if !known {
			err = errors.Join(err, s.cfg.Ledger.GivePort(ctx, p.App, p.Host))
		}
		return err
	}
	s.cfg.Router.Reload(p.App)
	s.cfg.Trail.Note(ctx, p.App, by.Name, "ports.allow", p.String())
	return nil
}

// DenyPort takes a port of the host from an app, and ends its connections.
func (s *Ports) DenyPort(ctx context.Context, by core.Actor, app string, host int) error {
	err := s.cfg.Ledger.GivePort(ctx, app, host)
	if errors.Is(err, core.ErrNotFound) {
		return core.Reject(fmt.Sprintf("%s does not have port %d of this server", app, host), fmt.Sprintf("`ports %s` lists those that it has", app))
	}
	if err != nil {
		return err
	}
	s.cfg.Router.Reload(app)
	s.cfg.Trail.Note(ctx, app, by.Name, "ports.deny", fmt.Sprint(host))
	return nil
}

// HostPorts are those of app, or of all apps if it is empty.
func (s *Ports) HostPorts(ctx context.Context, app string) ([]offer.HostPort, error) {
	return s.cfg.Ledger.HostPorts(ctx, app)
}

// Offer is what can be reached of app.
func (s *Ports) Offer(ctx context.Context, app string) (offer.Offer, error) {
	return s.cfg.Ledger.Offer(ctx, app)
}
