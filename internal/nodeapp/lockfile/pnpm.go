package lockfile

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/nodeos-dev/gitd/internal/core"
)

// pnpm-lock.yaml is written by a program, one fact a line; see lock_yarn.go for why no YAML parser reads it.
var (
	pnpmVersion = regexp.MustCompile(`(?m)^lockfileVersion: '?"?([0-9.]+)`)
	pnpmKey     = regexp.MustCompile(`^  '?/?((?:@[^@/']+/)?[^@/'(]+)[@/][^']*'?:\s*$`)
	pnpmTarball = regexp.MustCompile(`tarball: '?"?([^,}\s'"]+)`)
	pnpmRepo    = regexp.MustCompile(`repo: '?"?([^,}\s'"]+)`)
	pnpmLocal   = regexp.MustCompile(`(?m)^\s+(?:version: |[^ ]+: )'?(?:link|file):|^patchedDependencies:|^pnpmfileChecksum:`)
	pnpmOS      = regexp.MustCompile(`^    os: \[(.*)\]`)
	pnpmBuild   = []byte("    requiresBuild: true")
)

// pnpmReaders say which pnpm reads which version of its lockfile. pnpm 9, 10 and later all write 9.0. Of these 10 is
// the one that installs what each of them wrote: 11 no longer reads the settings in package.json that such a lockfile
// was made with, and ends with an error where 10 warns. A repository that is made for 11 or later says so, in
// packageManager or by a setting that only they have (see planPNPM).
var pnpmReaders = map[string]string{"5.3": "^6", "5.4": "^7", "6.0": "^8", "6.1": "^8", "9.0": PNPM9}

// PNPM9 are the versions of pnpm that read its lockfile 9.0.
const PNPM9 = "^10"

// ReadPNPM reads pnpm-lock.yaml.
func ReadPNPM(lock []byte) (Locked, error) {
	version := pnpmVersion.FindSubmatch(lock)
	if version == nil {
		return Locked{}, errors.New("it has no lockfileVersion")
	}
	l := Locked{Fits: pnpmReaders[string(version[1])]}
	if l.Fits == "" {
		return Locked{}, core.Reject(
			fmt.Sprintf("pnpm-lock.yaml has version %s, and gitd knows pnpm for 5.3, 5.4, 6.0, 6.1 and 9.0", version[1]),
			"`pnpm install --lockfile-only` of a newer pnpm writes it again; commit it, and push again")
	}
	l.Silent = string(version[1]) == "9.0"
	if m := pnpmLocal.Find(lock); m != nil {
		l.Local = string(bytes.TrimSpace(m))
	}
	name, here := "", true
	for line := range bytes.Lines(lock) {
		if m := pnpmKey.FindSubmatch(line); m != nil {
			name, here = string(m[1]), true
		}
		if m := pnpmOS.FindSubmatch(line); m != nil {
			here = bytes.Contains(m[1], []byte("linux")) || bytes.Contains(m[1], []byte("!"))
		}
		if m := pnpmTarball.FindSubmatch(line); m != nil {
			l.addHost(name, string(m[1]))
		}
		if m := pnpmRepo.FindSubmatch(line); m != nil {
			l.addHost(name, string(m[1]))
		}
		if here && bytes.HasPrefix(line, pnpmBuild) {
			l.Scripts = name
		}
	}
	return l, nil
}
