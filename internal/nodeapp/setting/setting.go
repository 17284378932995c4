// Package setting reads single settings of "nodeos" in package.json. Pure.
package setting

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Bad refuses what is written at name.
func Bad(name string, raw json.RawMessage, hint string) error {
	return core.Reject(fmt.Sprintf("package.json: %s is %s", name, progress.Shorten(string(raw))), hint)
}

// Flag reads yes or no. raw may be empty.
func Flag(name string, raw json.RawMessage) (on bool, err error) {
	if len(raw) > 0 && json.Unmarshal(raw, &on) != nil {
		return false, Bad(name, raw, "use true or false")
	}
	return on, nil
}

// debianName is Debian's rule for the name of a package.
var debianName = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]{1,99}$`)

// mostPackages bounds a list that nobody would write.
const mostPackages = 100

// Packages reads names of Debian's packages. raw may be empty.
func Packages(raw json.RawMessage) (names []string, err error) {
	const hint = `use names of Debian's packages, such as ["libcairo2", "chromium"]`
	if len(raw) == 0 {
		return nil, nil
	}
	if json.Unmarshal(raw, &names) != nil || len(names) > mostPackages {
		return nil, Bad("nodeos.packages", raw, hint)
	}
	for _, n := range names {
		if !debianName.MatchString(n) {
			return nil, core.Reject(fmt.Sprintf("package.json: nodeos.packages has %q, which is no name of a Debian package", progress.Shorten(n)), hint)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
