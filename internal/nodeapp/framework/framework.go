package framework

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Framework is what a repository was recognised as, and what follows from that where its author says nothing.
type Framework struct {
	Name  string
	Rule  string            // how it was recognised, for people
	Build string            // the command that builds, where package.json has no scripts.build; "": none is needed
	Env   map[string]string // for the build

	Lacks     Lack      // zero: nothing
	outcomes  []Outcome // what a build may leave, the first that is there counts
	Leftovers []string  // folders that only the next build on the same machine would want
}

// Lack is something without which a framework builds nothing that could be served, and how its author adds it.
type Lack struct{ What, Advice string }

// Outcome is one form that a built app can have.
type Outcome struct {
	File  string   // shows that the app has this form: a path, or a pattern of path.Match
	Start []string // the command; empty: File's folder is a static site
	SPA   bool     // of a static site: index.html answers for every page
	Alone bool     // it carries all that it needs, so node_modules is left out
	// Copies are folders that the framework leaves to be copied: from, to.
	Copies [][2]string
}

// Program is the one that builds.
func (f Framework) Program() string {
	program, _, _ := strings.Cut(f.Build, " ")
	return program
}

// Files are what would show that f has built, for people.
func (f Framework) Files() string {
	var all []string
	for _, o := range f.outcomes {
		all = append(all, o.File)
	}
	return strings.Join(all, ", nor ")
}

// Find returns the form that a build has left in app. "$FILE" in Start is replaced by the file that was found.
func (f Framework) Find(app fs.FS) (o Outcome, ok bool) {
	for _, o := range f.outcomes {
		found, err := fs.Glob(app, o.File)
		if err != nil || len(found) == 0 {
			continue
		}
		slices.Sort(found)
		o.File = found[0]
		o.Start = slices.Clone(o.Start)
		for i, word := range o.Start {
			o.Start[i] = strings.ReplaceAll(word, "$FILE", o.File)
		}
		return o, true
	}
	return Outcome{}, false
}

// standalone is where Next leaves a server with all that it needs. Of a monorepo, it has the folders of the repository
// below it.
const standalone = ".next/standalone/"

// In is f for an app in a folder of a monorepo.
func (f Framework) In(dir string) Framework {
	if dir == "" {
		return f
	}
	var deep []Outcome
	for _, o := range f.outcomes {
		if !strings.HasPrefix(o.File, standalone) {
			continue
		}
		below := func(name string) string {
			rest, ok := strings.CutPrefix(name, standalone)
			if !ok {
				return name
			}
			return standalone + dir + "/" + rest
		}
		copies := slices.Clone(o.Copies)
		for i, c := range copies {
			copies[i] = [2]string{c[0], below(c[1])}
		}
		o.File, o.Copies = below(o.File), copies
		deep = append(deep, o)
	}
	f.outcomes = append(deep, f.outcomes...)
	return f
}

// folders are where the builds of all kinds leave a site.
var folders = []string{"dist", "build", "out", "_site", "public", "www", "docs", "."}

// Site is what is served where there is no command that would serve: a folder with an index.html. The zero Framework
// says that there is none. mayMake: a build may make one.
func Site(repo fs.FS, mayMake bool) Framework {
	var f Framework
	for _, dir := range folders {
		name := path.Join(dir, "index.html")
		if info, err := fs.Stat(repo, name); (err == nil && info.Mode().IsRegular()) || (mayMake && dir != ".") {
			f.outcomes = append(f.outcomes, site(name))
		}
	}
	if len(f.outcomes) > 0 {
		f.Name, f.Rule = "static site", "no start command"
	}
	return f
}

// Recognise finds out with which framework an app was made. where returns the member of package.json that names a
// package, or "". The zero Framework says that none is known.
func Recognise(repo fs.FS, where func(pkg string) string) Framework {
	for _, k := range kinds {
		if rule := k.matches(repo, where); rule != "" {
			f := Framework{Name: k.name, Rule: rule, Build: k.build, Env: k.env, Leftovers: k.leftovers, outcomes: k.outcomes}
			if found, err := fs.Glob(repo, k.needs); k.needs != "" && (err != nil || len(found) == 0) {
				f.Lacks = k.lacks
			}
			return f
		}
	}
	return Framework{}
}

func (k kind) matches(repo fs.FS, where func(pkg string) string) (rule string) {
	if k.file != "" {
		if _, err := fs.Lstat(repo, k.file); err == nil {
			return k.file
		}
	}
	for _, name := range k.packages {
		if in := where(name); in != "" {
			return name + " in " + in
		}
	}
	return ""
}

// Static reports whether o is a site, a folder of files.
func (o Outcome) Static() bool { return len(o.Start) == 0 }
