package nodeapp

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/expose"
	"github.com/nodeos-dev/gitd/internal/nodeapp/setting"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Settings are an app's own, in package.json under "nodeos". The host's own limits are not known here.
type Settings struct {
	Resources core.Resources
	Health    core.Health
	Port      int // where the app listens in its machine; 0: the default
	Expose    core.Expose

	ownHealth bool // Health is set here, so app.json's does not count

	Cron []core.CronJob // whose commands were not followed yet

	Packages []string // of Debian, that its machine has beside the base; sorted
	Shell    bool     // its machine has a shell, which is one of Packages
	Bundle   bool     // the files of its npm packages are put together (package bundle)

	Dir string // the app's folder in the repository, as it is written; "": this one
}

// parseSettings reads the "nodeos" member; raw may be empty. Unknown keys are
// warnings, so that an app can be pushed to an older gitd.
func parseSettings(raw json.RawMessage, warnings *[]string) (Settings, error) {
	s := Settings{Health: core.Health{Path: "/"}}
	if len(raw) == 0 {
		return s, nil
	}
	o, err := member(raw, "nodeos")
	if err != nil {
		return s, err
	}
	*warnings = append(*warnings,
		o.unknown("nodeos", "memory", "cpus", "port", "packages", "healthcheck", "cron", "dir", "shell", "expose", "bundle")...)
	if s.Resources.MemoryMiB, err = parseMemory(o["memory"]); err != nil {
		return s, err
	}
	if s.Resources.CPUs, err = parseCPUs(o["cpus"]); err != nil {
		return s, err
	}
	if s.Port, err = parsePort(o["port"]); err != nil {
		return s, err
	}
	if s.Packages, err = setting.Packages(o["packages"]); err != nil {
		return s, err
	}
	if s.Cron, err = parseJobs(o["cron"], PackageFile, "nodeos.cron", warnings); err != nil {
		return s, err
	}
	if err := s.parseShell(o["shell"]); err != nil {
		return s, err
	}
	if s.Bundle, err = setting.Flag("nodeos.bundle", o["bundle"]); err != nil {
		return s, err
	}
	if raw, ok := o["dir"]; ok {
		if s.Dir = o.text("dir"); s.Dir == "" {
			return s, badSetting("nodeos.dir", raw, `use the folder of the app, such as "packages/api"`)
		}
	}
	if raw, ok := o["healthcheck"]; ok {
		s.ownHealth = true
		s.Health, err = parseHealth(raw, warnings)
	}
	if err == nil {
		err = s.parseExpose(o["expose"], warnings)
	}
	return s, err
}

// parseExpose comes last: an app that speaks no HTTP is healthy when it listens.
func (s *Settings) parseExpose(raw json.RawMessage, warnings *[]string) (err error) {
	var more []string
	if s.Expose, more, err = expose.Read(raw); err != nil {
		return err
	}
	*warnings = append(*warnings, more...)
	if s.Port, err = expose.Web(s.Expose, s.Port); err != nil || !s.Expose.NoHTTP {
		return err
	}
	if s.ownHealth && s.Health.Path != "/" && !s.Health.Off {
		*warnings = append(*warnings, `package.json: nodeos.healthcheck.path is ignored: the app speaks no HTTP ("http": false)`)
	}
	s.Health, s.ownHealth = core.Health{Off: true, Timeout: s.Health.Timeout}, true
	return nil
}

func member(raw json.RawMessage, name string) (object, error) {
	o, _, err := parseObject(raw)
	if err != nil {
		return nil, badSetting(name, raw, `{"memory": "256M"} is an example of the whole`)
	}
	return o, nil
}

// unknown makes a warning for each key that is not in known.
func (o object) unknown(name string, known ...string) []string {
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
	return setting.Bad(name, raw, hint)
}

func parseMemory(raw json.RawMessage) (mib int, err error) {
	if len(raw) == 0 {
		return 0, nil
	}
	var s string
	json.Unmarshal(raw, &s) //nolint:errcheck // what is no string is no size
	size, err := units.ParseBytes(s)
	if err != nil {
		return 0, badSetting("nodeos.memory", raw, `use a size such as "256M" or "1G"`)
	}
	mib = int(size >> 20)
	if mib < core.MinMemoryMiB || mib > core.MaxMemoryMiB {
		return 0, badSetting("nodeos.memory", raw,
			fmt.Sprintf(`use "%dM" to "%dG"`, core.MinMemoryMiB, core.MaxMemoryMiB>>10))
	}
	return mib, nil
}

func parseCPUs(raw json.RawMessage) (n int, err error) {
	if len(raw) == 0 {
		return 0, nil
	}
	if err := json.Unmarshal(raw, &n); err != nil || n < 1 || n > core.MaxCPUs {
		return 0, badSetting("nodeos.cpus", raw, fmt.Sprintf("use a whole number from 1 to %d", core.MaxCPUs))
	}
	return n, nil
}

// parseShell adds the package of a shell.
func (s *Settings) parseShell(raw json.RawMessage) (err error) {
	if s.Shell, err = setting.Flag("nodeos.shell", raw); err != nil {
		return err
	}
	if s.Shell && !slices.Contains(s.Packages, shell.Busybox) {
		s.Packages = append(s.Packages, shell.Busybox)
		slices.Sort(s.Packages)
	}
	return nil
}

// parsePort reads a port that an ordinary user may listen on, which the app is.
func parsePort(raw json.RawMessage) (n int, err error) {
	if len(raw) == 0 {
		return 0, nil
	}
	const lowest, highest = 1024, 65535
	if err := json.Unmarshal(raw, &n); err != nil || n < lowest || n > highest {
		return 0, badSetting("nodeos.port", raw, fmt.Sprintf("use the number of the port at which the app listens, from %d to %d",
			lowest, highest))
	}
	return n, nil
}
