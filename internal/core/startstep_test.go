package core

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// variable is a piece of a word.
func variable(name, op string, other ...Piece) Piece { return Piece{Var: name, Op: op, Else: other} }

func TestProcesses(t *testing.T) {
	env := map[string]string{"PORT": "8080", "TWO": " a  b ", "EMPTY": "", "COLOUR": "blue"}
	fixed := func(name string) bool { return name == "PORT" || name == "COLOUR" }
	text := func(s string) Piece { return Piece{Text: s} }
	for name, c := range map[string]struct {
		step StartStep
		args []string
		env  map[string]string
		err  string
	}{
		"plain":        {step: StartStep{Words: []Word{Plain("node"), Plain("")}}, args: []string{"node", ""}},
		"split":        {step: StartStep{Words: []Word{{variable("TWO", "")}}}, args: []string{"a", "b"}},
		"joined":       {step: StartStep{Words: []Word{{text("x"), variable("TWO", ""), text("y")}}}, args: []string{"x", "a", "b", "y"}},
		"quoted":       {step: StartStep{Words: []Word{{{Var: "TWO", Quoted: true}}}}, args: []string{" a  b "}},
		"vanishes":     {step: StartStep{Words: []Word{Plain("x"), {variable("NONE", "")}, {variable("EMPTY", "")}}}, args: []string{"x"}},
		"default":      {step: StartStep{Words: []Word{{variable("PORT", ":-", text("1"))}, {variable("NONE", ":-", text("1 2"))}}}, args: []string{"8080", "1", "2"}},
		"its own last": {step: StartStep{Words: []Word{Plain("x"), {variable("A", "")}}, Own: []Assignment{{"A", Plain("1")}}}, args: []string{"x"}, env: map[string]string{"A": "1"}},
		"set before":   {step: StartStep{Set: []Assignment{{"A", Plain("1")}, {"B", Word{variable("A", "")}}}, Words: []Word{{variable("B", "")}}}, args: []string{"1"}, env: map[string]string{"A": "1", "B": "1"}},
		"config is stronger": {step: StartStep{Set: []Assignment{{"COLOUR", Plain("red")}}, Words: []Word{{variable("COLOUR", "")}},
			Own: []Assignment{{"PORT", Plain("1")}}}, args: []string{"blue"}},
		"not set":   {step: StartStep{Words: []Word{{variable("NONE", ":?", text("say which"))}}}, err: "NONE: say which"},
		"all empty": {step: StartStep{Name: "$NONE", Words: []Word{{variable("NONE", "")}}}, err: "is empty with the config as it is"},
	} {
		all, err := Processes([]StartStep{c.step}, env, fixed)
		if c.err != "" {
			if r, ok := errors.AsType[*Rejection](err); !ok || !strings.Contains(r.Reason, c.err) {
				t.Errorf("%s: %v; want %q", name, err, c.err)
			}
			continue
		}
		if err != nil || !slices.Equal(all[0].Args, c.args) || !maps.Equal(all[0].Env, c.env) {
			t.Errorf("%s: %q %q, %v; want %q %q", name, all[0].Args, all[0].Env, err, c.args, c.env)
		}
	}
}

// TestStartOfMachine: images that were made before there were steps start as they did, and a single command needs no
// guest that knows steps.
func TestStartOfMachine(t *testing.T) {
	var old Manifest
	const text = `{"base": "b1", "node": "22.1.0", "deps": {}, "app": {}, "start": ["/usr/bin/node", "s.js", "--port=${PORT}", "$NONE"], "env": {"A": "1"}, "health": {}, "resources": {}}`
	if err := json.Unmarshal([]byte(text), &old); err != nil {
		t.Fatal(err)
	}
	own := []Assignment{{"B", Plain("2")}}
	single := Manifest{Run: []StartStep{{Words: []Word{Plain("node")}, Own: own, Next: Next{1, 1}}}}
	folder := Manifest{Run: []StartStep{{Words: []Word{Plain("node")}, Own: own, Dir: "server", Next: Next{1, 1}}}}
	for name, c := range map[string]struct {
		m     Manifest
		args  []string
		env   map[string]string
		steps []Process
	}{
		"old":      {old, []string{"/usr/bin/node", "s.js", "--port=8080", ""}, map[string]string{"PORT": "8080"}, nil},
		"single":   {single, []string{"node"}, map[string]string{"PORT": "8080", "B": "2"}, nil},
		"a folder": {folder, nil, map[string]string{"PORT": "8080"}, []Process{{Args: []string{"node"}, Env: map[string]string{"B": "2"}, Dir: "server", Next: Next{1, 1}}}},
	} {
		given := map[string]string{"PORT": "8080"}
		s := MachineSpec{Env: given}
		err := s.SetStart(c.m, func(string) bool { return false })
		if err != nil || !slices.Equal(s.Args, c.args) || !maps.Equal(s.Env, c.env) || !reflect.DeepEqual(s.Steps, c.steps) {
			t.Errorf("%s: %q %q %+v, %v", name, s.Args, s.Env, s.Steps, err)
		}
		if len(given) != 1 {
			t.Errorf("%s: the environment that was given is changed: %q", name, given)
		}
	}
}
