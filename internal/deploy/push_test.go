package deploy

import (
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

const (
	none = "0000000000000000000000000000000000000000"
	aaa  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	bbb  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestJudge(t *testing.T) {
	branch := func(name string) core.Command { return core.Command{Ref: heads + name, Old: none, New: aaa} }
	tag := func(name string) core.Command { return core.Command{Ref: tags + name, Old: none, New: bbb} }
	tests := []struct {
		name     string
		branch   string // of the app, before
		onlyTags bool
		shallow  bool
		atomic   bool
		commands []core.Command
		deploys  string            // ref; empty: nothing
		trigger  core.Trigger      //
		rejects  map[string]string // ref → part of the reason
	}{
		{name: "first push of main", commands: []core.Command{branch("main")}, deploys: heads + "main", trigger: core.ByPush},
		{name: "first push of master", commands: []core.Command{branch("master")}, deploys: heads + "master", trigger: core.ByPush},
		{name: "first push of another branch", commands: []core.Command{branch("dev")},
			rejects: map[string]string{heads + "dev": "git push REMOTE <local>:main"}},
		{name: "master after main", branch: "main", commands: []core.Command{branch("master")},
			rejects: map[string]string{heads + "master": "only main deploys here"}},
		{name: "main beside a feature", branch: "main", commands: []core.Command{branch("main"), branch("dev")},
			deploys: heads + "main", trigger: core.ByPush, rejects: map[string]string{heads + "dev": "only main"}},
		{name: "a branch that looks like main", branch: "main", commands: []core.Command{branch("x/main")},
			rejects: map[string]string{heads + "x/main": "only main"}},
		{name: "deletion of main", branch: "main", commands: []core.Command{{Ref: heads + "main", Old: aaa, New: none}},
			rejects: map[string]string{heads + "main": "deleting main is refused"}},
		{name: "deletion of a tag", branch: "main", commands: []core.Command{{Ref: tags + "v1", Old: aaa, New: none}}},
		{name: "deletion of a tag beside another", branch: "main",
			commands: []core.Command{{Ref: tags + "v1", Old: aaa, New: none}, tag("v2")}},
		{name: "a name that git would not store", branch: "main", commands: []core.Command{tag("v1\ndelete refs/heads/main"), tag("v2")},
			rejects: map[string]string{tags + "v1\ndelete refs/heads/main": "no such name"}},
		{name: "one ref twice", branch: "main", commands: []core.Command{branch("main"), branch("main")},
			rejects: map[string]string{heads + "main": "named twice"}},
		{name: "one tag", branch: "main", commands: []core.Command{tag("v1")}, deploys: tags + "v1", trigger: core.ByTag},
		{name: "one tag, first push", commands: []core.Command{tag("v1")}, deploys: tags + "v1", trigger: core.ByTag},
		{name: "two tags are labels", branch: "main", commands: []core.Command{tag("v1"), tag("v2")}},
		{name: "a tag beside the branch is a label", branch: "main", commands: []core.Command{tag("v1"), branch("main")},
			deploys: heads + "main", trigger: core.ByPush},
		{name: "a tag beside a refused branch is a label", branch: "main", commands: []core.Command{tag("v1"), branch("dev")},
			rejects: map[string]string{heads + "dev": "only main"}},
		{name: "shallow branch", branch: "main", shallow: true, commands: []core.Command{branch("main")},
			deploys: heads + "main", trigger: core.ByPush},
		{name: "shallow tag", branch: "main", shallow: true, commands: []core.Command{tag("v1")},
			rejects: map[string]string{tags + "v1": "git fetch --unshallow"}},
		{name: "atomic, one refused", branch: "main", atomic: true, commands: []core.Command{branch("main"), branch("dev")},
			rejects: map[string]string{heads + "main": "atomic push", heads + "dev": "only main"}},
		{name: "atomic, none refused", branch: "main", atomic: true, commands: []core.Command{branch("main"), tag("v1")},
			deploys: heads + "main", trigger: core.ByPush},
		{name: "only tags, the branch", branch: "main", onlyTags: true, commands: []core.Command{branch("main")},
			rejects: map[string]string{heads + "main": "git push REMOTE v1.2.3"}},
		{name: "only tags, a tag", branch: "main", onlyTags: true, commands: []core.Command{tag("v1")}, deploys: tags + "v1", trigger: core.ByTag},
		{name: "only tags, a tag beside the branch", branch: "main", onlyTags: true, commands: []core.Command{tag("v1"), branch("main")},
			rejects: map[string]string{heads + "main": "only tags deploy here"}},
		{name: "notes", branch: "main", commands: []core.Command{{Ref: "refs/notes/x", Old: none, New: aaa}},
			rejects: map[string]string{"refs/notes/x": "only branches and tags"}},
		{name: "our own refs", branch: "main", commands: []core.Command{{Ref: "refs/gitd/x", Old: none, New: aaa}},
			rejects: map[string]string{"refs/gitd/x": "only branches and tags"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := core.Push{App: "shop", Commands: tt.commands, Shallow: tt.shallow, Atomic: tt.atomic}
			in := judge(p, tt.branch, tt.onlyTags)
			got, by := "", in.trigger
			if in.deploy == nil {
				by = ""
			}
			if in.deploy != nil {
				got = in.deploy.Ref
			}
			if got != tt.deploys || by != tt.trigger {
				t.Errorf("deploys %q by %q, want %q by %q", got, by, tt.deploys, tt.trigger)
			}
			checkVerdicts(t, p, in, tt.rejects)
		})
	}
}

// checkVerdicts checks that every ref has a verdict, and that those refused say why.
func checkVerdicts(t *testing.T, p core.Push, in intent, rejects map[string]string) {
	t.Helper()
	list := in.list(p)
	if len(list) != len(p.Commands) {
		t.Fatalf("%d verdicts for %d refs", len(list), len(p.Commands))
	}
	for i, v := range list {
		if v.Ref != p.Commands[i].Ref {
			t.Errorf("verdict %d is for %q, want %q", i, v.Ref, p.Commands[i].Ref)
		}
		want, refused := rejects[v.Ref]
		if refused != (v.Reject != "") || !strings.Contains(v.Reject, want) {
			t.Errorf("%s: rejected with %q, want %q", v.Ref, v.Reject, want)
		}
		if v.Store && !strings.HasPrefix(v.Ref, heads) {
			t.Errorf("%s would be stored by git, and not with the branch", v.Ref)
		}
	}
}
