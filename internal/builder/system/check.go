package system

import (
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder/debian"
	"github.com/nodeos-dev/gitd/internal/builder/native"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// lack is what a compiled file wants and the machine does not have.
type lack struct {
	file      string
	libraries []string
	versions  []string // "GLIBC_2.38 of libc.so.6"
}

// Check refuses an app that would fail when it loads a compiled file, and warns of files that it may load. wants is of
// node_modules; app is the folder of what the repository has itself, and of what the build has made.
func (s *System) Check(ctx context.Context, wants []native.Want, app string) error {
	own, err := native.Scan(app)
	if err != nil {
		return fmt.Errorf("read the compiled files of the app: %w", err)
	}
	wants = slices.Concat(wants, own)
	if err := s.addParts(ctx, wants); err != nil {
		return err
	}
	has, err := s.libraries()
	if err != nil {
		return err
	}
	var loaded, other []lack
	for _, w := range wants {
		l := has.lacks(w)
		switch {
		case len(l.libraries)+len(l.versions) == 0:
		case w.Loaded:
			loaded = append(loaded, l)
		default:
			other = append(other, l)
		}
	}
	if len(loaded)+len(other) == 0 {
		return nil
	}
	return s.judge(ctx, loaded, other)
}

// addParts gives an app that names one of the parts of glibc that the base leaves out a layer with them.
func (s *System) addParts(ctx context.Context, wants []native.Want) error {
	named := slices.ContainsFunc(wants, func(w native.Want) bool {
		return slices.ContainsFunc(w.Needs, func(n string) bool { return slices.Contains(partNames(), n) })
	})
	if !named || s.has.Layer.Digest != "" {
		return nil
	}
	parts, err := s.glibcParts(ctx)
	if err != nil {
		return err
	}
	return s.take(ctx, nil, parts)
}

// libraries are those that a machine has: the versions of their symbols, by their names; nil: not known.
type libraries map[string][]string

func (s *System) libraries() (libraries, error) {
	c, err := base.Read(s.State, s.Base)
	if err != nil {
		return nil, err
	}
	has := libraries{}
	for _, name := range s.has.Libraries {
		has[name] = nil
	}
	for name, p := range c.Libraries() {
		// The base has just been made or found from this very file of the host.
		if has[name], err = symbolVersions(p); err != nil {
			return nil, err
		}
	}
	return has, nil
}

// symbolVersions are those that a library of the host defines.
func symbolVersions(name string) ([]string, error) {
	f, err := elf.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer f.Close()
	defined, err := f.DynamicVersions()
	if err != nil {
		return nil, nil // it defines none
	}
	var names []string
	for _, d := range defined {
		names = append(names, d.Name)
	}
	return names, nil
}

// lacks says what of w is not there.
func (has libraries) lacks(w native.Want) lack {
	l := lack{file: w.File}
	for _, n := range w.Needs {
		if _, ok := has[n]; !ok {
			l.libraries = append(l.libraries, n)
		}
	}
	for _, v := range w.Versions {
		library, name, _ := strings.Cut(v, " ")
		if defined := has[library]; defined != nil && !slices.Contains(defined, name) {
			l.versions = append(l.versions, name+" of "+library)
		}
	}
	return l
}

func (l lack) String() string {
	what := strings.Join(l.libraries, ", ")
	if len(l.libraries) == 0 {
		what = strings.Join(l.versions, ", ")
	}
	return fmt.Sprintf("%s needs %s", progress.Shorten(progress.Printable(l.file)), progress.Shorten(progress.Printable(what)))
}

// mostLacks is how many files are named.
const mostLacks = 3

// judge refuses for the files that Node loads, if something can be done about them, and warns of all others.
func (s *System) judge(ctx context.Context, loaded, other []lack) error {
	known, err := s.archive().Known(ctx, s.Report)
	if err != nil && ctx.Err() != nil {
		return err // without an archive, there is still the name of the library
	}
	var first *lack
	var names []string // of what all of them need, so that one push says it
	for _, l := range loaded {
		more := s.missing(l.libraries, known)
		switch {
		case len(more) > 0:
			names = append(names, more...)
			if first == nil {
				first = &l
			}
		case len(l.libraries) > 0:
			other = append([]lack{l}, other...)
		default:
			return core.Reject(l.String()+", and this server's is older",
				"it was compiled for a newer system: npm_config_build_from_source=true, set by `config:set --build`, compiles it here; "+
					"or take a version of the package that was made for older ones")
		}
	}
	if first != nil {
		return core.Reject(first.String()+", which its machine does not have", "add to package.json: "+s.settingWith(names))
	}
	s.warn(other, known)
	return nil
}

// warn names files that need what is not there.
func (s *System) warn(all []lack, known map[string]bool) {
	for i, l := range all {
		if i == mostLacks {
			s.Report.Warn("%d more compiled files need what their machine does not have", len(all)-i)
			break
		}
		way := "`apt-file search` finds the Debian package of a library, for nodeos.packages in package.json"
		if names := s.missing(l.libraries, known); len(names) > 0 {
			way = "in package.json: " + s.settingWith(names)
		}
		s.Report.Warn("%s, which its machine does not have; if the app uses it, %s", l, way)
	}
}

// missing are the packages of libraries that are not there already. One that is there, and has the library in a place
// of its own, as libblas3 has, would be no advice.
func (s *System) missing(libraries []string, known map[string]bool) []string {
	return slices.DeleteFunc(packagesOf(libraries, known), func(name string) bool {
		return slices.ContainsFunc(s.has.Packages, func(p core.Package) bool { return p.Name == name })
	})
}

// packagesOf are the Debian packages of libraries, as far as their names tell.
func packagesOf(libraries []string, known map[string]bool) []string {
	var names []string
	for _, l := range libraries {
		name := debian.PackageOf(l, known)
		if known == nil {
			name = slices.Concat(debian.Candidates(l), []string{""})[0]
		}
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// settingWith is the line for package.json that asks for names beside what it asks for already.
func (s *System) settingWith(names []string) string {
	all := slices.Concat(s.Asked, names)
	slices.Sort(all)
	list, err := json.Marshal(slices.Compact(all))
	if err != nil {
		return err.Error() // strings are JSON
	}
	return fmt.Sprintf(`"nodeos": {"packages": %s}`, strings.ReplaceAll(string(list), `","`, `", "`))
}
