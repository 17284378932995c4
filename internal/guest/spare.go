package guest

import (
	"slices"
	"strings"
)

// This file is what is said of a machine that is up before it has an app, a spare one.

// Loader is what Node runs in a spare machine until it knows its app (package loader).
const Loader = "/usr/lib/nodeos/loader.js"

// LoaderVariable tells the loader that this is the process which becomes the app's.
const LoaderVariable = "NODEOS_LOADER"

// Slot is the serial of an empty disk of a spare machine, which becomes the disk of an image that is called so.
func Slot(serial string) string { return "slot-" + serial }

// Order is what the loader is told, as one line of JSON: which program Node is to be.
type Order struct {
	Args []string `json:"args"` // argv, of which the first is Node
	Env  []string `json:"env"`  // "NAME=value", complete
	Dir  string   `json:"dir"`
}

// Anew says why Node must be started for this program, even if one waits; "": the one that waits can become it. It is
// what Node, V8, ICU and the C library read once, at their start.
func Anew(args, env []string) (why string) {
	switch {
	case len(args) == 0 || args[0] != Node:
		return "another program is started" // also one that finds Node by PATH: process.argv0 says so
	case len(args) == 1 || strings.HasPrefix(args[1], "-"):
		return "node has options"
	case args[1] == "" || args[1] == "inspect":
		return "node has no file to run"
	}
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); readAtStart(name) {
			return name + " is set"
		}
	}
	return ""
}

// readAtStart reports whether a variable counts only if it is there when Node starts. Of Node's own, all do that are
// not known to be read later, or to be a custom of libraries.
func readAtStart(name string) bool {
	late := []string{"NODE_ENV", "NODE_PATH", "NODE_APP_INSTANCE", "NODE_CONFIG", "NODE_CONFIG_DIR", "NODE_CONFIG_ENV"}
	if slices.Contains(late, name) {
		return false
	}
	return slices.ContainsFunc([]string{
		"NODE_", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_", "SSL_CERT_", "ICU_", "UV_",
	}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
