package lockfile

import (
	"bytes"
	"encoding/json"
	"runtime"
	"slices"
	"strings"
)

// npmLock is the part of package-lock.json that is of use here.
type npmLock struct {
	Packages     map[string]npmPackage `json:"packages"`
	Dependencies map[string]struct {
		Version  string `json:"version"`
		Resolved string `json:"resolved"`
	} `json:"dependencies"` // the form of npm 6
}

type npmPackage struct {
	Link     bool            `json:"link"`
	Resolved string          `json:"resolved"`
	Dev      bool            `json:"dev"`
	Scripts  bool            `json:"hasInstallScript"`
	OS       json.RawMessage `json:"os"`
	CPU      json.RawMessage `json:"cpu"`
}

// ReadNPM reads package-lock.json or npm-shrinkwrap.json.
func ReadNPM(lock []byte, dev bool) (l Locked, err error) {
	var doc npmLock
	lock = bytes.TrimPrefix(lock, []byte(byteOrderMark))
	if err := json.Unmarshal(lock, &doc); err != nil {
		return Locked{}, err
	}
	l.Silent = doc.Packages == nil
	for path, p := range doc.Packages {
		installed := path == "" || strings.HasPrefix(path, nodeModules+"/")
		if p.Link || strings.HasPrefix(p.Resolved, "file:") || !installed {
			l.Local = path
			continue
		}
		if path == "" || (p.Dev && !dev) || !p.fits() {
			continue
		}
		l.addHost(strings.TrimPrefix(path, nodeModules+"/"), p.Resolved)
		if p.Scripts {
			l.Scripts = path[strings.LastIndex(path, nodeModules+"/")+len(nodeModules)+1:]
		}
	}
	if !l.Silent {
		return l, nil
	}
	for name, d := range doc.Dependencies {
		if strings.HasPrefix(d.Version, "file:") {
			l.Local = name
		}
		l.addHost(name, d.Resolved)
	}
	return l, nil
}

// fits reports whether npm installs p on this machine.
func (p npmPackage) fits() bool {
	cpu := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	return listed(p.OS, "linux") && listed(p.CPU, cpu)
}

// listed reads npm's "os" and "cpu": names, or names with "!" that are left out.
func listed(raw json.RawMessage, name string) bool {
	var list []string
	if json.Unmarshal(raw, &list) != nil || len(list) == 0 {
		return true // none, or a form that npm ignores
	}
	if slices.Contains(list, "!"+name) {
		return false
	}
	return slices.Contains(list, name) || slices.Contains(list, "any") ||
		!slices.ContainsFunc(list, func(s string) bool { return !strings.HasPrefix(s, "!") })
}
