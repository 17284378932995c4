package core

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// DefaultPort is where an app must listen in its machine, if it does not say another port.
const DefaultPort = 8080

// Port is where the release must listen in its machine.
func (r Release) Port() int { return cmp.Or(r.Manifest.Port, DefaultPort) }

// Environment returns everything that the app finds in process.env, and the part of it that no start command changes.
// The config vars override what the repository says, and the variables that gitd promises (PORT, NODEOS_…) override
// both. What is not known of the release is left out.
func (r Release) Environment(vars map[string]string) (env, fixed map[string]string) {
	env = map[string]string{
		"HOME": guest.AppDir, "PATH": "/usr/bin:/app/node_modules/.bin", "USER": "app", "NODE_ENV": "production",
	}
	fixed = maps.Clone(vars)
	if fixed == nil {
		fixed = map[string]string{}
	}
	fixed["PORT"], fixed["NODEOS_APP"] = strconv.Itoa(r.Port()), r.App
	if r.Version > 0 {
		fixed["NODEOS_RELEASE"] = "v" + strconv.Itoa(r.Version)
	}
	if r.Commit != "" {
		env["SOURCE_VERSION"] = r.Commit // Heroku's name of NODEOS_COMMIT
		fixed["NODEOS_COMMIT"] = r.Commit
	}
	maps.Copy(env, r.Manifest.Env)
	maps.Copy(env, fixed)
	return env, fixed
}

// Environ is a set of variables as a process is given it.
func Environ(vars map[string]string) []string {
	var all []string
	for name, value := range vars {
		all = append(all, name+"="+value)
	}
	slices.Sort(all)
	return all
}
