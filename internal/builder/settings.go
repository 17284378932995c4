package builder

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"gitd/internal/core"
)

// settings are an app's own, in package.json under "nodeos".
type settings struct {
	resources core.Resources
	health    core.Health
	ownHealth bool // it is set here, so app.json's does not count
}

// What an app may ask for. The host's own limits are not known here.
const (
	minMemory = 48        // MiB; the smallest Node server does not boot with less
	maxMemory = 256 << 10 // MiB
	maxCPUs   = 64
)

// parseSettings reads the "nodeos" member; raw may be empty. Unknown keys are
// warnings, so that an app can be pushed to an older gitd.
func parseSettings(raw json.RawMessage, warnings *[]string) (settings, error) {
	s := settings{health: core.Health{Path: "/"}}
	if len(raw) == 0 {
		return s, nil
	}
	o, err := member(raw, "nodeos")
	if err != nil {
		return s, err
	}
	*warnings = append(*warnings, o.unknown("nodeos", "memory", "cpus", "healthcheck")...)
	if s.resources.MemoryMiB, err = parseMemory(o["memory"]); err != nil {
		return s, err
	}
	if s.resources.CPUs, err = parseCPUs(o["cpus"]); err != nil {
		return s, err
	}
	if raw, ok := o["healthcheck"]; ok {
		s.ownHealth = true
		s.health, err = parseHealth(raw, warnings)
	}
	return s, err
}

func member(raw json.RawMessage, name string) (jsonObject, error) {
	o, _, err := parseObject(raw)
	if err != nil {
		return nil, badSetting(name, raw, `{"memory": "256M"} is an example of the whole`)
	}
	return o, nil
}

// unknown makes a warning for each key that is not in known.
func (o jsonObject) unknown(name string, known ...string) []string {
	var all []string
	for k := range o {
		if !slices.Contains(known, k) {
			all = append(all, fmt.Sprintf("package.json: %s.%s is unknown and ignored", name, shorten(k)))
		}
	}
	slices.Sort(all)
	return all
}

func badSetting(name string, raw json.RawMessage, hint string) error {
	return core.Reject(fmt.Sprintf("package.json: %s is %s", name, shorten(string(raw))), hint)
}

var memorySize = regexp.MustCompile(`^([0-9]{1,6})([MG])i?B?$`)

func parseMemory(raw json.RawMessage) (mib int, err error) {
	if len(raw) == 0 {
		return 0, nil
	}
	var s string
	json.Unmarshal(raw, &s) //nolint:errcheck // no string matches nothing
	m := memorySize.FindStringSubmatch(s)
	if m == nil {
		return 0, badSetting("nodeos.memory", raw, `use a size such as "256M" or "1G"`)
	}
	mib, _ = strconv.Atoi(m[1]) // six digits
	if m[2] == "G" {
		mib *= 1024
	}
	if mib < minMemory || mib > maxMemory {
		return 0, badSetting("nodeos.memory", raw, fmt.Sprintf(`use "%dM" to "%dG"`, minMemory, maxMemory>>10))
	}
	return mib, nil
}

func parseCPUs(raw json.RawMessage) (n int, err error) {
	if len(raw) == 0 {
		return 0, nil
	}
	if err := json.Unmarshal(raw, &n); err != nil || n < 1 || n > maxCPUs {
		return 0, badSetting("nodeos.cpus", raw, fmt.Sprintf("use a whole number from 1 to %d", maxCPUs))
	}
	return n, nil
}
