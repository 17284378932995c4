package nodeapp

import (
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/nodeapp/command"
)

// Processes are the processes of an app other than web, sorted by name.
type Processes []ProcessCommand

// ProcessCommand is what a process of the Procfile, other than web, runs.
type ProcessCommand struct {
	Name string // of its type
	command.Found
}

// followProcesses follows the commands of a Procfile other than that of web.
func followProcesses(finder command.Finder, proc processes) (all Processes, err error) {
	finder.Only = true
	for _, name := range slices.Sorted(maps.Keys(proc.commands)) {
		if name == core.Web {
			continue
		}
		c := ProcessCommand{Name: name}
		finder.Whole = name == core.ReleaseType
		if c.Found, err = finder.Text(procfile, proc.commands[name]); err != nil {
			return nil, ofProcess(name, err)
		}
		for i, w := range c.Warnings {
			c.Warnings[i] = name + ": " + w
		}
		all = append(all, c)
	}
	return all, nil
}

// ofProcess says of the refusal of a command of which process it is.
func ofProcess(name string, err error) error {
	if r, ok := errors.AsType[*core.Rejection](err); ok {
		return &core.Rejection{Reason: "Procfile, " + name + ": " + r.Reason, Hint: r.Hint, Err: r.Err}
	}
	return err
}

// Types are what machines run for the processes; see Plan.Commands.
func (all Processes) Types(app fs.FS, installed Programs) (types []core.ProcessType, err error) {
	for _, c := range all {
		t := core.ProcessType{Name: c.Name}
		if t.Run, err = stepsOf(c.Found, app, installed); err != nil {
			return nil, ofProcess(c.Name, err)
		}
		types = append(types, t)
	}
	return types, nil
}

// builds are what of the commands runs at build time.
func (all Processes) builds() (steps []string) {
	for _, c := range all {
		steps = append(steps, c.Builds...)
	}
	return steps
}

func (all Processes) warnings() (said []string) {
	for _, c := range all {
		said = append(said, c.Warnings...)
	}
	return said
}

func (all Processes) facts() (facts []Fact) {
	for _, c := range all {
		facts = append(facts, Fact{"process", c.Name + ": " + leavesOf(c.Found), c.From})
	}
	return facts
}
