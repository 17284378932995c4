package lockfile

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Yarn's lockfiles are written by a program, one fact a line. They are read line by line: a YAML parser takes a second
// for a large one, at each push, and yarn 1's form is not YAML.
var (
	yarnResolved = regexp.MustCompile(`^  resolved "([^"]+)"`)
	yarnEntry    = regexp.MustCompile(`^"?((?:@[^@/"]+/)?[^@/"]+)@`)
	berryVersion = regexp.MustCompile(`(?m)^__metadata:\s+version: (\d+)\s`)
	berryFrom    = regexp.MustCompile(`^  resolution: "((?:@[^@"]+)?[^@"]+)@([^"]+)"`)
)

// ReadYarn1 reads the yarn.lock of yarn 1.
func ReadYarn1(lock []byte) Locked {
	l, name := Locked{Silent: true, Fits: "^1"}, ""
	for line := range bytes.Lines(lock) {
		text := strings.TrimRight(string(line), "\r\n")
		if m := yarnEntry.FindStringSubmatch(text); m != nil {
			name = m[1]
			if strings.Contains(text, "@file:") || strings.Contains(text, "@link:") {
				l.Local = name
			}
		}
		if m := yarnResolved.FindStringSubmatch(text); m != nil {
			l.addHost(name, m[1])
		}
	}
	return l
}

// IsBerry reports whether a yarn.lock is of Yarn 2 or later.
func IsBerry(lock []byte) bool { return bytes.Contains(lock, []byte("\n__metadata:")) }

// berryWriters say which Yarn writes which version of its lockfile. A later Yarn would rewrite it, which --immutable
// refuses; so the newest one is taken that leaves it as it is. Read from LOCKFILE_VERSION in the releases.
var berryWriters = map[string]string{
	"4": "~2.4", "5": "~3.1", "6": ">=3.2 <4", "8": ">=4.0 <4.14", "9": "~4.14", "10": ">=4.15 <5",
}

// ReadBerry reads the yarn.lock of Yarn 2 and later.
func ReadBerry(lock []byte) (Locked, error) {
	version := berryVersion.FindSubmatch(lock)
	if version == nil {
		return Locked{}, fmt.Errorf("__metadata has no version")
	}
	l := Locked{Silent: true, Fits: berryWriters[string(version[1])]}
	if l.Fits == "" {
		return Locked{}, core.Reject(fmt.Sprintf("yarn.lock has version %s, which no released Yarn that gitd knows writes", version[1]),
			"write it anew: `yarn set version stable`, then `yarn install`; commit it, and push again")
	}
	for line := range bytes.Lines(lock) {
		m := berryFrom.FindSubmatch(line)
		if m == nil {
			continue
		}
		name, from := string(m[1]), string(m[2])
		protocol, _, _ := strings.Cut(from, ":")
		switch {
		case from == "workspace:.":
		case protocol == "patch" && strings.Contains(from, "builtin<"): // yarn's own
		case protocol == "workspace", protocol == "file", protocol == "link", protocol == "portal", protocol == "patch":
			l.Local = name
		case strings.Contains(from, "://"):
			l.addHost(name, from)
		}
	}
	return l, nil
}
