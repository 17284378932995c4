package bootdisk

import (
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Start is what tells init to run the release, with the config vars, in a machine without gitd. It is written on the
// disk as it is.
func Start(rel core.Release, vars map[string]string) (guest.Start, error) {
	if !rel.Manifest.Serves() {
		return guest.Start{}, core.Reject("the app has no web process", `add a line "web: node server.js" to its Procfile`)
	}
	env, fixed := rel.Environment(vars)
	spec := core.MachineSpec{Env: env}
	if err := spec.SetStart(rel.Manifest, func(name string) bool { _, ok := fixed[name]; return ok }); err != nil {
		return guest.Start{}, err
	}
	s := guest.Start{
		Args: spec.Args, Env: core.Environ(spec.Env), Port: rel.Port(), Hostname: rel.App, Alone: true,
		Network: guest.Network{DHCP: true},
	}
	for _, p := range spec.Steps {
		s.Steps = append(s.Steps, guest.Step{
			Name: p.Name, Args: p.Args, Env: core.Environ(p.Env), Dir: p.Dir, OK: p.OK, Fail: p.Fail,
		})
	}
	return s, nil
}
