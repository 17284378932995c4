package core

import (
	"fmt"
	"maps"
	"os"
	"strings"
)

// Processes fills in the variables of a start. env is the machine's environment; assignments to the names that fixed
// reports have no effect.
//
// This is the part of POSIX's word expansion that a start command may use, with the usual IFS. The package expand of
// mvdan.cc/sh does it as well, but also what no start may: it expands braces, which sh does not, and asks the host for
// home directories. Besides, the core needs no library.
func Processes(start []StartStep, env map[string]string, fixed func(name string) bool) ([]Process, error) {
	all := make([]Process, len(start))
	for i, c := range start {
		x := expansion{env: env, added: map[string]string{}, fixed: fixed}
		x.set(c.Set)
		args := x.fields(c.Words)
		x.set(c.Own)
		switch {
		case x.err != nil:
			return nil, Reject(fmt.Sprintf("the start command needs a variable: %v", x.err), "set it with `config:set`")
		case len(args) == 0:
			return nil, Reject("the start command "+c.Name+" is empty with the config as it is", "see `config`")
		}
		all[i] = Process{Name: c.Name, Args: args, Env: x.added, Dir: c.Dir, Next: c.Next}
	}
	return all, nil
}

// expansion fills in the words of one command.
type expansion struct {
	env   map[string]string
	added map[string]string
	fixed func(name string) bool
	err   error
}

func (x *expansion) set(all []Assignment) {
	for _, a := range all {
		x.put(a.Name, x.text(a.Value))
	}
}

func (x *expansion) put(name, value string) {
	if !x.fixed(name) {
		x.added[name] = value
	}
}

func (x *expansion) get(name string) (value string, ok bool) {
	if value, ok = x.added[name]; ok {
		return value, true
	}
	value, ok = x.env[name]
	return value, ok
}

// run is a part of a word whose value is known.
type run struct {
	text   string
	split  bool // at white space
	always bool // it is a field though it may be empty
}

// runs fills in a word. inside says that the word is what an unquoted variable stands for, so that it is split too.
func (x *expansion) runs(w Word, inside bool) []run {
	var all []run
	for _, p := range w {
		if p.Var == "" {
			all = append(all, run{p.Text, inside && !p.Quoted, p.Quoted})
			continue
		}
		all = append(all, x.variable(p)...)
		if p.Quoted {
			all = append(all, run{always: true})
		}
	}
	return all
}

func (x *expansion) variable(p Piece) []run {
	value, ok := x.get(p.Var)
	op, colon := strings.CutPrefix(p.Op, ":")
	use := ok && (!colon || value != "")
	plain := []run{{text: value, split: !p.Quoted}}
	switch {
	case use && op == "+":
		return x.other(p)
	case use || op == "":
		return plain
	case op == "-":
		return x.other(p)
	case op == "=":
		x.put(p.Var, x.text(p.Else))
		value, _ = x.get(p.Var)
		return []run{{text: value, split: !p.Quoted}}
	case op == "?":
		why := x.text(p.Else)
		if why == "" {
			why = "it is not set"
		}
		x.err = fmt.Errorf("%s: %s", p.Var, why)
	}
	return nil
}

// other is what stands in the place of a variable.
func (x *expansion) other(p Piece) []run {
	if p.Quoted {
		return []run{{text: x.text(p.Else), always: true}}
	}
	return x.runs(p.Else, true)
}

// text fills in a word that is not split.
func (x *expansion) text(w Word) string {
	var b strings.Builder
	for _, r := range x.runs(w, false) {
		b.WriteString(r.text)
	}
	return b.String()
}

// fields fills in words, and splits them where they are to be split. A word of which nothing is left vanishes.
func (x *expansion) fields(words []Word) []string {
	var all []string
	for _, w := range words {
		field, begun := "", false
		for _, r := range x.runs(w, false) {
			if !r.split {
				field, begun = field+r.text, begun || r.always || r.text != ""
				continue
			}
			for _, c := range r.text {
				if !strings.ContainsRune(" \t\n", c) {
					field, begun = field+string(c), true
				} else if begun {
					all, field, begun = append(all, field), "", false
				}
			}
		}
		if begun {
			all = append(all, field)
		}
	}
	return all
}

// SetStart fills in the start command of a machine whose environment is known. One command in the app's folder is said
// in the form that the guests of old images understand too.
func (s *MachineSpec) SetStart(m Manifest, fixed func(name string) bool) error {
	if len(m.Run) == 0 {
		s.Args = expandOld(m.Start, s.Env)
		return nil
	}
	steps, err := Processes(m.Run, s.Env, fixed)
	if err != nil {
		return err
	}
	if len(steps) > 1 || steps[0].Dir != "" {
		s.Steps = steps
		return nil
	}
	s.Args, s.Env = steps[0].Args, maps.Clone(s.Env)
	maps.Copy(s.Env, steps[0].Env)
	return nil
}

// expandOld replaces $NAME and ${NAME} in the start command of an image that was made before there were StartSteps.
func expandOld(start []string, env map[string]string) []string {
	args := make([]string, len(start))
	for i, a := range start {
		args[i] = os.Expand(a, func(name string) string { return env[name] })
	}
	return args
}
