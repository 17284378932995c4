package deploy

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestCompareTags: what changes is found in what is stored, since clients do not know it; what git could not store is
// refused by itself, and the others go on.
func TestCompareTags(t *testing.T) {
	set := func(name, object string) core.Command { return core.Command{Ref: tags + name, Old: none, New: object} }
	stored := map[string]string{tags + "v1": aaa, tags + "x/y": aaa}
	tests := []struct {
		name     string
		commands []core.Command
		changes  []core.Command
		moved    map[string]string // short name → from, as the client is told
		rejects  map[string]string
		deploys  bool
	}{
		{name: "new", commands: []core.Command{set("v2", bbb), set("v3", bbb)}, changes: []core.Command{set("v2", bbb), set("v3", bbb)}},
		{name: "there already", commands: []core.Command{set("v1", aaa), set("v2", bbb)}, changes: []core.Command{set("v2", bbb)},
			moved: map[string]string{"v1": aaa}},
		{name: "elsewhere", commands: []core.Command{set("v1", bbb), set("v2", bbb)},
			changes: []core.Command{{Ref: tags + "v1", Old: aaa, New: bbb}, set("v2", bbb)}, moved: map[string]string{"v1": aaa}},
		{name: "deleted", commands: []core.Command{set("v1", none)}, changes: []core.Command{{Ref: tags + "v1", Old: aaa, New: none}}},
		{name: "deleted, not there", commands: []core.Command{set("v9", none)}, rejects: map[string]string{"v9": "there is no tag v9"}},
		{name: "below a tag", commands: []core.Command{set("v1/x", bbb), set("v2", bbb)}, changes: []core.Command{set("v2", bbb)},
			rejects: map[string]string{"v1/x": "v1 is in the way"}},
		{name: "above a tag", commands: []core.Command{set("x", bbb)}, rejects: map[string]string{"x": "x/y is in the way"}},
		{name: "two of the push", commands: []core.Command{set("a", bbb), set("a/b", bbb)}, changes: []core.Command{set("a", bbb)},
			rejects: map[string]string{"a/b": "a is in the way"}},
		{name: "two of the push, the other way round", commands: []core.Command{set("a/b", bbb), set("a", bbb)},
			changes: []core.Command{set("a/b", bbb)}, rejects: map[string]string{"a": "a/b is in the way"}},
		{name: "in the place of one that goes", commands: []core.Command{set("v1", none), set("v1/x", bbb)},
			changes: []core.Command{{Ref: tags + "v1", Old: aaa, New: none}}, rejects: map[string]string{"v1/x": "in the way"}},
		{name: "alone", commands: []core.Command{set("v1", bbb)}, changes: []core.Command{{Ref: tags + "v1", Old: aaa, New: bbb}}, deploys: true},
		{name: "alone, there already", commands: []core.Command{set("v1", aaa)}, deploys: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := core.Push{Commands: tt.commands}
			in := judge(p, "main", false)
			in.compareTags(stored)
			if !slices.Equal(in.tags, tt.changes) {
				t.Errorf("changes %v, want %v", in.tags, tt.changes)
			}
			if (in.deploy != nil) != tt.deploys {
				t.Errorf("deploys %v", in.deploy)
			}
			for _, v := range in.list(p) {
				want, name := "", short(v.Ref)
				if v.Moved != nil {
					want = v.Moved.Old
				}
				if want != tt.moved[name] {
					t.Errorf("%s: the client is told that it was at %q", name, want)
				}
				if reason, refused := tt.rejects[name]; refused != (v.Reject != "") || !strings.Contains(v.Reject, reason) {
					t.Errorf("%s: rejected with %q, want %q", name, v.Reject, reason)
				}
			}
		})
	}
}
