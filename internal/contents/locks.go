package contents

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// locks is what the lockfiles of an image say: the hashes of what was downloaded.
type locks struct {
	integrity map[string]string // by name@version
}

// isLock reports whether name is that of a lockfile. Yarn 2 and later write hashes of archives that they make
// themselves: these say nothing of what was published, and are left out.
func isLock(name string) bool {
	switch name {
	case "package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml":
		return true
	}
	return false
}

func (l *locks) read(name string, b []byte) {
	if l.integrity == nil {
		l.integrity = map[string]string{}
	}
	switch name {
	case "yarn.lock":
		l.readYarn(b)
	case "pnpm-lock.yaml":
		l.readPNPM(b)
	default:
		l.readNPM(b)
	}
}

func (l *locks) add(name, version, integrity string) {
	if name != "" && version != "" && integrity != "" && len(integrity) <= maxText {
		l.integrity[name+"@"+version] = integrity
	}
}

// lockedPackage is a package in npm's lockfile.
type lockedPackage struct {
	Name         string                   `json:"name"` // if it is another than that of its folder
	Version      string                   `json:"version"`
	Integrity    string                   `json:"integrity"`
	Dependencies map[string]lockedPackage `json:"dependencies"` // npm 6 nests them
}

func (l *locks) readNPM(b []byte) {
	var doc struct {
		Packages map[string]struct {
			Name      string `json:"name"`
			Version   string `json:"version"`
			Integrity string `json:"integrity"`
		} `json:"packages"`
	}
	b = bytes.TrimPrefix(b, []byte("\uFEFF"))
	if json.Unmarshal(b, &doc) != nil {
		return
	}
	for at, p := range doc.Packages {
		if p.Name == "" {
			p.Name = folderName(at)
		}
		l.add(p.Name, p.Version, p.Integrity)
	}
	var old struct{ Dependencies map[string]lockedPackage }
	if len(doc.Packages) == 0 && json.Unmarshal(b, &old) == nil {
		l.nested(old.Dependencies)
	}
}

func (l *locks) nested(list map[string]lockedPackage) {
	for name, p := range list {
		l.add(name, p.Version, p.Integrity)
		l.nested(p.Dependencies)
	}
}

// The lockfiles of yarn 1 and pnpm are written by programs, one fact a line.
var (
	yarnName      = regexp.MustCompile(`^"?((?:@[^@/"]+/)?[^@/" ]+)@(?:npm:((?:@[^@/"]+/)?[^@/" ]+)@)?`)
	yarnVersion   = regexp.MustCompile(`^  version "([^"]+)"`)
	yarnIntegrity = regexp.MustCompile(`^  integrity (\S+)`)
	pnpmPackage   = regexp.MustCompile(`^  '?/?((?:@[^@/']+/)?[^@/'(]+)[@/]([^'(_]+)[^']*'?:\s*$`)
	pnpmIntegrity = regexp.MustCompile(`^    resolution: \{integrity: ([^,}]+)`)
)

func (l *locks) readYarn(b []byte) {
	name, version := "", ""
	for line := range bytes.Lines(b) {
		if m := yarnName.FindSubmatch(line); m != nil {
			if name, version = string(m[1]), ""; len(m[2]) > 0 {
				name = string(m[2]) // "alias@npm:name@range"
			}
		} else if m := yarnVersion.FindSubmatch(line); m != nil {
			version = string(m[1])
		} else if m := yarnIntegrity.FindSubmatch(line); m != nil {
			l.add(name, version, string(m[1]))
		}
	}
}

func (l *locks) readPNPM(b []byte) {
	name, version := "", ""
	for line := range bytes.Lines(b) {
		if m := pnpmPackage.FindSubmatch(line); m != nil {
			name, version = string(m[1]), strings.TrimSpace(string(m[2]))
		} else if m := pnpmIntegrity.FindSubmatch(line); m != nil {
			l.add(name, version, string(m[1]))
		}
	}
}
