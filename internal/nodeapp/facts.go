package nodeapp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
	"github.com/nodeos-dev/gitd/internal/nodeapp/expose"
	"github.com/nodeos-dev/gitd/internal/nodeapp/nodeversion"
	"github.com/nodeos-dev/gitd/internal/nodeapp/shell"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Fact is one decision of a plan, for people.
type Fact struct {
	Name  string `json:"name"`           // what it is about: "framework", "node", …
	Value string `json:"value"`          // what was decided
	Rule  string `json:"rule,omitempty"` // by what; "": by default
}

// Facts are a plan's decisions, in the order in which a build carries them out.
func (p Plan) Facts() []Fact {
	facts := []Fact{
		{"framework", p.Framework.Name, p.Framework.Rule},
		nodeFact(p), installFact(p), buildFact(p), startFact(p),
		{"port", "$PORT, or wherever the app listens", ""},
		healthFact(p), memoryFact(p),
		shellFact(p), packagesFact(p), bundleFact(p), {"expose", expose.Text(p.Package.Settings.Expose), "nodeos.expose"},
	}
	if port := p.Package.Settings.Port; port > 0 {
		facts[5] = Fact{"port", fmt.Sprint(port), "nodeos.port"}
		if p.Package.Settings.Expose.NoHTTP {
			facts[5].Rule = "nodeos.expose"
		}
	}
	if p.Start.None {
		facts = slices.Delete(facts, 5, 7)
	}
	facts = slices.Insert(facts, 5, slices.Concat(p.Processes.facts(), p.Jobs.facts())...)
	var all []Fact
	for _, f := range slices.Insert(facts, 0, folderFact(p)) {
		if f.Value != "" {
			f.Value, f.Rule = progress.Printable(f.Value), progress.Printable(f.Rule)
			all = append(all, f)
		}
	}
	return all
}

func folderFact(p Plan) Fact {
	value := shorten(p.Folder.Dir)
	switch {
	case value == "":
		return Fact{}
	case p.Folder.Lone:
		value += " alone"
	case len(p.Need.Dirs) == 0:
		value += ", with the whole repository"
	default:
		value += ", a workspace"
		if others := p.Need.Dirs[:len(p.Need.Dirs)-1]; len(others) > 0 {
			value += " with " + strings.Join(shortened(others), ", ")
		}
		if len(p.Need.Others) > 0 {
			value += "; left out, because it does not depend on them: " + strings.Join(shortened(p.Need.Others), ", ")
		}
	}
	return Fact{"folder", value, p.Folder.From}
}

// shortened are a few of the names, and how many more there are.
func shortened(names []string) []string {
	const most = 5
	var all []string
	for _, name := range names[:min(most, len(names))] {
		all = append(all, shorten(name))
	}
	if more := len(names) - most; more > 0 {
		all = append(all, fmt.Sprintf("and %d more", more))
	}
	return all
}

func packagesFact(p Plan) Fact {
	var names []string
	for _, name := range p.Package.Settings.Packages {
		if name != shell.Busybox || !p.Package.Settings.Shell {
			names = append(names, name)
		}
	}
	return Fact{"packages", strings.Join(names, ", "), "nodeos.packages"}
}

func shellFact(p Plan) Fact {
	if !p.Package.Settings.Shell {
		return Fact{}
	}
	return Fact{"shell", shell.Sh + ", of Debian's " + shell.Busybox, "nodeos.shell"}
}

func bundleFact(p Plan) Fact {
	if !p.Package.Settings.Bundle {
		return Fact{}
	}
	return Fact{"bundle", "the files of packages, when they are installed", "nodeos.bundle"}
}

func nodeFact(p Plan) Fact {
	switch {
	case p.Node.Pin != "":
		return Fact{"node", shorten(p.Node.Pin), p.Node.From}
	case p.Node.Range != "":
		return Fact{"node", shorten(p.Node.Range), "engines.node"}
	}
	return Fact{"node", fmt.Sprintf("%d.x", nodeversion.Default), ""}
}

func installFact(p Plan) Fact {
	if !p.Install {
		return Fact{}
	}
	value := p.Manager.Tool.Command()
	if p.Manager.Range != "" {
		value += " " + shorten(p.Manager.Range)
	}
	if p.DevDeps {
		value += ", with devDependencies"
		if p.Prune {
			value += " until it is built"
		}
	}
	return Fact{"install", value, cmp.Or(p.LockName, "no lockfile: one is made and kept")}
}

func buildFact(p Plan) Fact {
	var all []string
	rule := ""
	for _, name := range []string{p.Scripts.Before, p.Scripts.Build, p.Scripts.Cleanup} {
		if name != "" {
			all = append(all, p.Manager.Tool.Command()+" run "+name)
			rule = "scripts." + cmp.Or(p.Scripts.Build, name)
		}
	}
	for _, s := range p.Steps {
		all = append(all, shorten(s))
		rule = cmp.Or(rule, p.BuiltBy, p.Start.From)
	}
	return Fact{"build", strings.Join(all, ", then "), rule}
}

func startFact(p Plan) Fact {
	s := p.Start
	switch {
	case s.None:
		return Fact{"start", "no server: workers only", s.From}
	case s.Built:
		return Fact{"start", "what the build leaves: " + strings.ReplaceAll(p.Framework.Files(), ", nor ", " or "), s.From}
	case s.main != "":
		return Fact{"start", "node " + shorten(s.main), s.From}
	}
	return Fact{"start", leavesOf(s.Found), s.From}
}

func leavesOf(s command.Found) string {
	var all []string
	for _, l := range s.Leaves() {
		all = append(all, shorten(l.Text))
	}
	return strings.Join(all, ", then ")
}

func healthFact(p Plan) Fact {
	h := p.Package.Settings.Health
	if h.Off {
		rule := "nodeos.healthcheck"
		if p.Package.Settings.Expose.NoHTTP {
			rule = "nodeos.expose"
		}
		return Fact{"health", "none: it is enough that the app listens", rule}
	}
	value := fmt.Sprintf("GET %s answers with a status below 500", cmp.Or(h.Path, "/"))
	if p.Package.Settings.ownHealth {
		return Fact{"health", value, "nodeos.healthcheck"}
	}
	if h.Attempts > 0 {
		return Fact{"health", value, appJSONFile}
	}
	return Fact{"health", value, ""}
}

func memoryFact(p Plan) Fact {
	switch {
	case p.Package.Settings.Resources.MemoryMiB > 0:
		return Fact{"memory", fmt.Sprintf("%d MiB", p.Package.Settings.Resources.MemoryMiB), "nodeos.memory"}
	case p.Package.Guess.MemoryMiB > 0:
		return Fact{"memory", fmt.Sprintf("%d MiB at first, more if it runs out", p.Package.Guess.MemoryMiB), p.Package.Guess.Package}
	}
	return Fact{"memory", "the server's default at first, more if it runs out", ""}
}
