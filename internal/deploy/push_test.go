package deploy

import (
	"strings"
	"testing"
)

const (
	none = "0000000000000000000000000000000000000000"
	aaa  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	bbb  = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestJudge(t *testing.T) {
	branch := func(name string) Command { return Command{Ref: heads + name, Old: none, New: aaa} }
	tag := func(name string) Command { return Command{Ref: tags + name, Old: none, New: bbb} }
	tests := []struct {
		name     string
		branch   string // of the app, before
		shallow  bool
		atomic   bool
		commands []Command
		deploys  string            // ref; empty: nothing
		trigger  Trigger           //
		rejects  map[string]string // ref → part of the reason
	}{
		{name: "first push of main", commands: []Command{branch("main")}, deploys: heads + "main", trigger: ByPush},
		{name: "first push of master", commands: []Command{branch("master")}, deploys: heads + "master", trigger: ByPush},
		{name: "first push of another branch", commands: []Command{branch("dev")},
			rejects: map[string]string{heads + "dev": "git push REMOTE dev:main"}},
		{name: "master after main", branch: "main", commands: []Command{branch("master")},
			rejects: map[string]string{heads + "master": "only main deploys here"}},
		{name: "main beside a feature", branch: "main", commands: []Command{branch("main"), branch("dev")},
			deploys: heads + "main", trigger: ByPush, rejects: map[string]string{heads + "dev": "only main"}},
		{name: "a branch that looks like main", branch: "main", commands: []Command{branch("x/main")},
			rejects: map[string]string{heads + "x/main": "only main"}},
		{name: "deletion of main", branch: "main", commands: []Command{{heads + "main", aaa, none}},
			rejects: map[string]string{heads + "main": "deleting main is refused"}},
		{name: "deletion of a tag", branch: "main", commands: []Command{{tags + "v1", aaa, none}},
			rejects: map[string]string{tags + "v1": "deleting v1"}},
		{name: "one tag", branch: "main", commands: []Command{tag("v1")}, deploys: tags + "v1", trigger: ByTag},
		{name: "one tag, first push", commands: []Command{tag("v1")}, deploys: tags + "v1", trigger: ByTag},
		{name: "two tags are labels", branch: "main", commands: []Command{tag("v1"), tag("v2")}},
		{name: "a tag beside the branch is a label", branch: "main", commands: []Command{tag("v1"), branch("main")},
			deploys: heads + "main", trigger: ByPush},
		{name: "a tag beside a refused branch is a label", branch: "main", commands: []Command{tag("v1"), branch("dev")},
			rejects: map[string]string{heads + "dev": "only main"}},
		{name: "shallow branch", branch: "main", shallow: true, commands: []Command{branch("main")},
			deploys: heads + "main", trigger: ByPush},
		{name: "shallow tag", branch: "main", shallow: true, commands: []Command{tag("v1")},
			rejects: map[string]string{tags + "v1": "git fetch --unshallow"}},
		{name: "atomic, one refused", branch: "main", atomic: true, commands: []Command{branch("main"), branch("dev")},
			rejects: map[string]string{heads + "main": "atomic push", heads + "dev": "only main"}},
		{name: "atomic, none refused", branch: "main", atomic: true, commands: []Command{branch("main"), tag("v1")},
			deploys: heads + "main", trigger: ByPush},
		{name: "notes", branch: "main", commands: []Command{{"refs/notes/x", none, aaa}},
			rejects: map[string]string{"refs/notes/x": "only branches and tags"}},
		{name: "our own refs", branch: "main", commands: []Command{{"refs/gitd/x", none, aaa}},
			rejects: map[string]string{"refs/gitd/x": "only branches and tags"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Push{App: "shop", Commands: tt.commands, Shallow: tt.shallow, Atomic: tt.atomic}
			in := judge(p, tt.branch)
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

// checkVerdicts: every ref has a verdict, and those refused say why.
func checkVerdicts(t *testing.T, p Push, in intent, rejects map[string]string) {
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
			t.Errorf("%s would be stored: a later push of it would be up-to-date", v.Ref)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"a", "shop", "shop-2", "a1", strings.Repeat("a", 40)} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-a", "a-", "1a", "Shop", "a.b", "a/b", "../a", "a b", "a\n", "ä", "--upload-pack=x", strings.Repeat("a", 41)} {
		if err := CheckName(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestPrintable(t *testing.T) {
	tests := map[string]string{
		"plain":                       "plain",
		"\x1b[32mgreen\x1b[0m":        "green",
		"a\x1b[2J\x1b[1;1Hb":          "ab",
		"\x1b]0;title\x07x":           "]0;titlex",
		"tab\there":                   "tab\there",
		"bell\a back\b cr\r nul\x00.": "bell back cr nul.",
		"\x1b[":                       "",
		"höhe → ok":                   "höhe → ok",
		"bad \xff utf8":               "bad  utf8",
	}
	for in, want := range tests {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}
