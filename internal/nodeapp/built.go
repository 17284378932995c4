package nodeapp

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
	"github.com/nodeos-dev/gitd/internal/nodeapp/framework"
)

// StaticServer is where a build puts the server of static sites, below the app's folder.
const StaticServer = ".nodeos/static.mjs"

// recognise finds out with which framework the app was made.
func (p *Plan) recognise(repo fs.FS) {
	p.Framework = framework.Recognise(repo, func(pkg string) string {
		for _, where := range []string{"dependencies", "devDependencies"} {
			if _, ok := p.Package.all.texts(where)[pkg]; ok {
				return where
			}
		}
		return ""
	})
	if p.Package.Scripts["build"] != "" {
		p.Framework.Build = "" // the author's own
	}
}

// Outcome is what the build has made, if that decides what starts. app is the app's folder after the build. ok is false
// where the author's own command starts.
func (p Plan) Outcome(app fs.FS) (o framework.Outcome, ok bool, err error) {
	o, found := p.Framework.In(p.Dir).Find(appFolder(app, p.Dir))
	switch {
	case p.Start.Built && !found:
		return o, false, core.Reject(fmt.Sprintf("%s has left nothing that could be served: there is no %s", p.Framework.Name, p.Framework.Files()),
			`add "scripts": {"start": "…"} with the command that serves, or a Procfile with a line "web: …"`)
	case p.Start.Built:
		return o, true, nil
	case found && len(o.Copies) > 0 && p.Start.Runs("next"):
		return o, true, nil // "next start" does not serve a standalone build
	}
	return framework.Outcome{}, false, nil
}

// commandOf is what a machine runs for an outcome, in the folder dir.
func commandOf(o framework.Outcome, dir string, installed Programs) ([]core.StartStep, error) {
	args := o.Start
	if o.Static() {
		args = []string{"node", StaticServer, path.Dir(o.File)}
		if o.SPA {
			args = append(args, "--spa")
		}
	}
	words := []core.Word{core.Plain(guest.Node)}
	if program := args[0]; program != "node" {
		found, ok := installed[program]
		if !ok {
			return nil, core.Reject(fmt.Sprintf("%s serves this app, and is not among its \"dependencies\"", program),
				fmt.Sprintf("`npm install %s` adds it; commit, and push again", command.PackageOf(program)))
		}
		for _, w := range absolute(dir, found) {
			words = append(words, core.Plain(w))
		}
	}
	for _, w := range args[1:] {
		words = append(words, core.Plain(w))
	}
	return []core.StartStep{{Name: strings.Join(args, " "), Words: words, Dir: dir, Next: core.Next{OK: 1, Fail: 1}}}, nil
}
