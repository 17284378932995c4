// Package system is what an app's machine has of a system beside Node: Debian's packages, and the libraries that
// compiled files want.
//
// It owns the layer of packages, from the names that an app asks for to the record that gives the same commit the same
// versions, and the judgement whether everything that compiled files want is there. It does not own how packages are
// chosen and unpacked (package debian), how compiled files are read (package native), nor what is in the base.
package system

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/builder/debian"
	"github.com/nodeos-dev/gitd/internal/builder/sandbox"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// System is that of one build.
type System struct {
	State   core.StateDir
	Base    string   // id of the base
	Asked   []string // names of Debian's packages, sorted
	Commit  string
	Fresh   bool          // make again what was kept
	Limit   time.Duration // for all that has to do with the archive
	Layers  image.Layers
	Hold    *image.Hold
	Report  *progress.Report
	Box     *sandbox.Sandbox        // nil: this host has none
	Kept    string                  // folder of what this app's builds remember
	Scratch string                  // folder of this build
	Own     func(path string) error // gives a path to the user that the sandbox runs as

	has additions
}

// archive is Debian's, with indexes that all builds share.
func (s *System) archive() debian.Archive {
	return debian.Archive{Dir: filepath.Join(s.State.Cache(), "debian")}
}

// Put adds to m what the machine has.
func (s *System) Put(m *core.Manifest) {
	m.Debian, m.Packages = s.has.Layer, s.has.Packages
	if s.browser() {
		m.Env["PUPPETEER_EXECUTABLE_PATH"], m.Env["CHROME_PATH"] = nodeapp.ChromiumProgram, nodeapp.ChromiumProgram
	}
}

func (s *System) browser() bool { return slices.Contains(s.Asked, nodeapp.Chromium) }

// BuildVars are variables of the build: they keep packages from fetching a second browser.
func (s *System) BuildVars() []string {
	if !s.browser() {
		return nil
	}
	return []string{"PUPPETEER_SKIP_DOWNLOAD=true", "PUPPETEER_SKIP_CHROMIUM_DOWNLOAD=true", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1"}
}
