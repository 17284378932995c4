// Package locks knows npm's lockfiles.
//
// It owns what gitd changes in one that it had npm make. It does not own how one is made (package builder).
package locks

import (
	"encoding/json"
	"strings"
)

// WithoutAbsent takes the optional dependencies out of a lockfile that are nowhere in it: no registry has them. npm
// makes such a lockfile without a word, and `npm ci` then refuses it ("Missing: NAME@ from lock file"). Where there are
// none, or the text is no lockfile, it comes back as it was.
func WithoutAbsent(text []byte) []byte {
	var lock map[string]json.RawMessage
	var packages map[string]map[string]json.RawMessage
	if json.Unmarshal(text, &lock) != nil || json.Unmarshal(lock["packages"], &packages) != nil {
		return text
	}
	there := map[string]bool{}
	for path := range packages {
		if i := strings.LastIndex(path, "node_modules/"); i >= 0 {
			there[path[i+len("node_modules/"):]] = true
		}
	}
	changed := false
	for path, p := range packages {
		var optional map[string]string
		if path == "" || json.Unmarshal(p["optionalDependencies"], &optional) != nil {
			continue // what the app itself wants stands in its package.json too
		}
		for name := range optional {
			if !there[name] {
				delete(optional, name)
				changed = true
			}
		}
		var err error
		if p["optionalDependencies"], err = json.Marshal(optional); err != nil {
			return text
		}
	}
	if !changed {
		return text
	}
	var err error
	if lock["packages"], err = json.Marshal(packages); err != nil {
		return text
	}
	if fresh, err := json.MarshalIndent(lock, "", "  "); err == nil {
		return fresh
	}
	return text
}
