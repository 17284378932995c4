package nodeapp

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// readLock finds the lockfile. npm prefers the shrinkwrap file where both are; name is empty where there is none.
func readLock(repo fs.FS) (name string, lock []byte, err error) {
	for _, name := range []string{shrinkwrap, lockFile} {
		b, err := readFile(repo, name, lockLimit)
		if !errors.Is(err, fs.ErrNotExist) {
			return name, b, err
		}
	}
	return "", nil, nil
}

// noLock is what to do about dependencies without a lockfile.
func noLock(repo fs.FS) error {
	const makeIt = "`npm install --package-lock-only` writes package-lock.json; commit it, and push again"
	for _, other := range []string{"yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"} {
		if exists(repo, other) {
			return core.Reject(other+" is not supported yet, only npm's package-lock.json", makeIt)
		}
	}
	return core.Reject("there are dependencies, but no package-lock.json", makeIt)
}

// localPackages finds a package in a lockfile that is a folder of the
// repository itself, and not something from a registry.
func localPackages(lock []byte) (name string, err error) {
	var doc struct {
		Packages map[string]struct {
			Link     bool   `json:"link"`
			Resolved string `json:"resolved"`
		} `json:"packages"`
		Dependencies map[string]struct {
			Version string `json:"version"`
		} `json:"dependencies"` // the form of npm 6
	}
	lock = bytes.TrimPrefix(lock, []byte(byteOrderMark))
	if err := json.Unmarshal(lock, &doc); err != nil {
		return "", inText(lock, err)
	}
	for path, p := range doc.Packages {
		installed := path == "" || strings.HasPrefix(path, NodeModules+"/")
		if p.Link || strings.HasPrefix(p.Resolved, "file:") || !installed {
			return path, nil
		}
	}
	for name, d := range doc.Dependencies {
		if strings.HasPrefix(d.Version, "file:") {
			return name, nil
		}
	}
	return "", nil
}
