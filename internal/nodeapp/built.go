package nodeapp

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// StaticServer is where a build puts the server of static sites, below the app's folder.
const StaticServer = ".nodeos/static.mjs"

// anyPurpose are programs for development that belong to no framework.
var anyPurpose = map[string]bool{"nodemon": true, "ts-node-dev": true, "tsnd": true, "wrangler": true}

// builtBy starts what a framework will have built.
func builtBy(f Framework) StartCommand { return StartCommand{From: f.Name, made: &f} }

// needs reports whether a start needs what f builds: it is that, or the framework's own program serves it.
func (s StartCommand) needs(f Framework) bool {
	if s.made != nil {
		return true
	}
	program, _, _ := strings.Cut(f.Build, " ")
	return s.runs(program)
}

// runs reports whether a start has a command with this program.
func (s StartCommand) runs(program string) bool {
	if s.tree == nil || program == "" || program == "node" {
		return false
	}
	for _, l := range s.tree.leaves() {
		if name, _ := l.words[0].Literal(); name == program {
			return true
		}
	}
	return false
}

// Outcome is what the build has made, if that decides what starts. app is the app's folder after the build. ok is false
// where the author's own command starts.
func (p Plan) Outcome(app fs.FS) (o Outcome, ok bool, err error) {
	o, found := p.Framework.find(app)
	switch {
	case p.Start.made != nil && !found:
		return o, false, core.Reject(p.Framework.Name+" has left nothing that could be served: there is no "+p.Framework.files(),
			`add "scripts": {"start": "…"} with the command that serves, or a Procfile with a line "web: …"`)
	case p.Start.made != nil:
		return o, true, nil
	case found && len(o.Copies) > 0 && p.Start.runs("next"):
		return o, true, nil // "next start" does not serve a standalone build
	}
	return Outcome{}, false, nil
}

// files are what shows that f has built, for people.
func (f Framework) files() string {
	var all []string
	for _, o := range f.outcomes {
		all = append(all, o.File)
	}
	return strings.Join(all, ", nor ")
}

// Leftovers are folders of the app that only the next build on the same machine would want.
func (p Plan) Leftovers() []string { return p.Framework.leftovers }

// Static reports whether an outcome is a site that StaticServer serves.
func (o Outcome) Static() bool { return len(o.Start) == 0 }

// Command is what a machine runs for an outcome.
func (o Outcome) Command(installed Programs) ([]core.StartStep, error) {
	args := o.Start
	if o.Static() {
		args = []string{"node", StaticServer, path.Dir(o.File)}
		if o.SPA {
			args = append(args, "--spa")
		}
	}
	words := []core.Word{core.Plain(guest.Node)}
	if args[0] != "node" {
		program, ok := installed[args[0]]
		if !ok {
			return nil, core.Reject(fmt.Sprintf("%s serves this app, and is not among its \"dependencies\"", args[0]),
				fmt.Sprintf("`npm install %s` adds it; commit, and push again", packageName(args[0])))
		}
		for _, w := range program {
			words = append(words, core.Plain(w))
		}
	}
	for _, w := range args[1:] {
		words = append(words, core.Plain(w))
	}
	return []core.StartStep{{Name: strings.Join(args, " "), Words: words, Next: core.Next{OK: 1, Fail: 1}}}, nil
}

// packageName is the package that brings a program.
func packageName(program string) string {
	if name, ok := packageOf[program]; ok {
		return name
	}
	return program
}
