package tools

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Manager is an app's package manager, unpacked on the host.
type Manager struct {
	Tool    nodeapp.Tool
	Version string
	Dir     string            // the unpacked package; "" for npm, which every build has
	Bins    map[string]string // the commands that it brings, and their files in Dir
}

func (m Manager) String() string { return m.Tool.Command() + " " + m.Version }

// Major is the first number of m's version.
func (m Manager) Major() uint64 {
	v, err := semver.NewVersion(m.Version)
	if err != nil {
		return 0
	}
	return v.Major()
}

// addNPM makes or finds npm. It is there in every build, because scripts call it.
func (s *Shop) addNPM(ctx context.Context, t *Toolchain, m nodeapp.Manager, node *semver.Version, r *progress.Report) error {
	all, err := s.versions(ctx, "npm", r)
	if err != nil {
		return err
	}
	v, err := s.pickManager(m, node, all, r)
	if err != nil && !m.Exact() && m.Range != "" {
		t.warn("%s; npm's own choice for Node %s is used", err, t.Node)
		m.Range = ""
		v, err = s.pickManager(m, node, all, r)
	}
	if err != nil {
		return err
	}
	if err := s.checkHash(ctx, m, v, ""); err != nil {
		return err
	}
	t.NPM = v.Number.String()
	t.Manager = Manager{Tool: nodeapp.NPM, Version: t.NPM}
	t.NPMDir, err = s.fetch(ctx, v, r)
	return err
}

// addManager makes or finds yarn or pnpm. They come from the npm registry as Node does, and are never downloaded by
// corepack inside the sandbox: that would run what a name in package.json leads to, unchecked and at each build.
func (s *Shop) addManager(ctx context.Context, t *Toolchain, m nodeapp.Manager, node *semver.Version, r *progress.Report) error {
	name := map[nodeapp.Tool]string{nodeapp.Yarn1: "yarn", nodeapp.Berry: "@yarnpkg/cli-dist", nodeapp.PNPM: "pnpm"}[m.Tool]
	all, err := s.versions(ctx, name, r)
	if err != nil {
		return err
	}
	v, err := s.pickManager(m, node, all, r)
	if err != nil && !m.Exact() && m.Range != "" {
		t.warn("%s; one that fits the lockfile is used", err)
		m.Range = ""
		v, err = s.pickManager(m, node, all, r)
	}
	if err != nil {
		return err
	}
	got := Manager{Tool: m.Tool, Version: v.Number.String()}
	file := ""
	if m.Tool == nodeapp.Berry {
		file = "bin/yarn.js"
	}
	program := v
	if m.Tool == nodeapp.PNPM && got.Major() >= firstBinaryPNPM {
		if program, err = s.binaryPNPM(ctx, v, r); err != nil {
			return err
		}
	}
	if got.Dir, err = s.fetch(ctx, program, r); err != nil {
		return err
	}
	if file != "" {
		file = filepath.Join(got.Dir, file)
	}
	if err := s.checkHash(ctx, m, v, file); err != nil {
		return err
	}
	got.Bins = got.commands()
	t.Manager = got
	return nil
}

// firstBinaryPNPM is the first pnpm that is no JavaScript.
const firstBinaryPNPM = 12

// binaryPNPM is the package with the program of a pnpm that is no JavaScript.
func (s *Shop) binaryPNPM(ctx context.Context, v registry.Version, r *progress.Report) (registry.Version, error) {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	all, err := s.versions(ctx, "@pnpm/exe.linux-"+arch, r)
	if err != nil {
		return registry.Version{}, err
	}
	for _, p := range all {
		if p.Number.Equal(v.Number) {
			return p, nil
		}
	}
	return registry.Version{}, core.Reject(fmt.Sprintf("pnpm %s is not published for this server's processor", v.Number),
		`name another in package.json, such as "packageManager": "pnpm@10.34.9"`)
}

// commands are the programs of a manager's package.
func (m Manager) commands() map[string]string {
	switch {
	case m.Tool == nodeapp.Yarn1 || m.Tool == nodeapp.Berry:
		return map[string]string{"yarn": "bin/yarn.js", "yarnpkg": "bin/yarn.js"}
	case m.Major() >= firstBinaryPNPM:
		return map[string]string{"pnpm": "pnpm"}
	case m.Major() >= 11:
		return map[string]string{"pnpm": "bin/pnpm.mjs", "pnpx": "bin/pnpx.mjs"}
	}
	return map[string]string{"pnpm": "bin/pnpm.cjs", "pnpx": "bin/pnpx.cjs"}
}

func (t *Toolchain) warn(format string, args ...any) {
	t.Warnings = append(t.Warnings, fmt.Sprintf(format, args...))
}

func (s *Shop) pickManager(m nodeapp.Manager, node *semver.Version, all []registry.Version, r *progress.Report) (registry.Version, error) {
	return s.pick(all, r, func(all []registry.Version) (registry.Version, error) { return pickManager(m, node, all) })
}

// pickManager chooses the newest version that is asked for, that reads the lockfile as it is, and that says it runs on
// node. For npm see npmFor.
func pickManager(m nodeapp.Manager, node *semver.Version, all []registry.Version) (registry.Version, error) {
	wish, err := semver.NewConstraint(orAny(m.Range))
	if err != nil {
		return registry.Version{}, core.Reject(fmt.Sprintf("%s %q is no version range", m.From, progress.Shorten(m.Range)),
			`use one such as ">=10" in package.json`)
	}
	fits, err := semver.NewConstraint(orAny(m.Fits))
	if err != nil {
		return registry.Version{}, err
	}
	var best registry.Version
	var deaf *registry.Version // it is asked for, and does not run on this Node
	for _, v := range all {
		if !wish.Check(v.Number) || (!m.Exact() && !fits.Check(v.Number)) {
			continue
		}
		if !runsOn(v, node) {
			deaf = &v
			continue
		}
		if best.Number == nil || preferred(m.Tool, node, v.Number, best.Number) {
			best = v
		}
	}
	switch {
	case best.Number != nil:
		return best, nil
	case deaf != nil:
		return registry.Version{}, core.Reject(
			fmt.Sprintf("%s %s%s does not run on Node %s, but on %q", m.Tool.Command(), deaf.Number, From(m), node, deaf.Node),
			`ask for such a Node in package.json: "engines": {"node": …}`)
	}
	return registry.Version{}, core.Reject(
		fmt.Sprintf("there is no %s %s%s", m.Tool.Command(), progress.Shorten(orAny(m.Range)), From(m)),
		"name a version that is published")
}

func orAny(r string) string {
	if r == "" {
		return "*"
	}
	return r
}

// From says where the wish for a manager was found, in brackets; "": nowhere.
func From(m nodeapp.Manager) string {
	if m.From == "" {
		return ""
	}
	return " (" + m.From + ")"
}

// runsOn reports whether v says that it runs on node. Old packages say nothing.
func runsOn(v registry.Version, node *semver.Version) bool {
	if v.Node == "" {
		return true
	}
	c, err := semver.NewConstraint(v.Node)
	return err == nil && c.Check(node)
}

// npmFor is the major version of npm that belongs to a Node, because it comes with it: what authors of an app on this
// Node have, and write their lockfiles with. nodejs.org has the full list; its lines change only with Node's.
func npmFor(node *semver.Version) uint64 {
	if node.Major() >= 24 {
		return 11
	}
	return 10
}

// preferred orders versions: the newer one comes first. npm is not taken newer than the one that belongs to the Node,
// unless it has to be, and then no newer than needed.
func preferred(tool nodeapp.Tool, node, a, b *semver.Version) bool {
	if tool != nodeapp.NPM {
		return a.GreaterThan(b)
	}
	line := npmFor(node)
	switch {
	case (a.Major() <= line) != (b.Major() <= line):
		return a.Major() <= line
	case a.Major() > line && a.Major() != b.Major():
		return a.Major() < b.Major()
	}
	return a.GreaterThan(b)
}

// checkHash compares a package manager with the hash of packageManager. As for corepack, it is the hash of the tarball,
// or of the one file that is taken from it.
func (s *Shop) checkHash(ctx context.Context, m nodeapp.Manager, v registry.Version, file string) error {
	if m.Hash == "" {
		return nil
	}
	name, want, _ := strings.Cut(m.Hash, ".")
	var got string
	var err error
	if file != "" {
		got, err = registry.FileSum(file, name)
	} else {
		got, err = s.Registry.Sum(ctx, v, name)
	}
	if err != nil {
		return fmt.Errorf("check %s %s: %w", v.Name, v.Number, err)
	}
	if got != want {
		return core.Reject(fmt.Sprintf("%s %s has not the hash that packageManager states", m.Tool.Command(), v.Number),
			fmt.Sprintf("the registry's has %s.%s; if that is right, `corepack use %s@%s` writes it", name, got,
				m.Tool.Command(), v.Number))
	}
	return nil
}
