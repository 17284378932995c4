package workspace

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		patterns, yes, no string
	}{
		{"packages/*", "packages/api", "packages packages/api/deep apps/api packagesx/api"},
		{"./packages/*/", "packages/api", "api"},
		{"apps/**", "apps/api apps/a/b/c apps", "app x/apps/y"},
		{"**", "a a/b", ""},
		{"server client", "server client", "serve server/x"},
		{"packages/* !packages/old", "packages/api", "packages/old"},
		{"!packages/old packages/*", "packages/old", "apps/x"}, // the last one decides
		{"packages/{a,b}", "", "packages/a"},                   // npm knows braces; gitd says that it is no workspace
		{"packages/[", "", "packages/["},
		{"a/**/z", "a/z a/b/z a/b/c/z", "a/b a/z/y"},
		{"", "", "a"},
	} {
		p := Patterns(strings.Fields(c.patterns))
		for dir := range strings.FieldsSeq(c.yes) {
			if !p.Match(dir) {
				t.Errorf("%q does not match %q", p, dir)
			}
		}
		for dir := range strings.FieldsSeq(c.no) {
			if p.Match(dir) {
				t.Errorf("%q matches %q", p, dir)
			}
		}
	}
}

// TestMatchEnds: a pattern of many stars takes no longer than its length allows.
func TestMatchEnds(t *testing.T) {
	start := time.Now()
	Patterns{strings.Repeat("**/", 2000) + "x"}.Match(strings.Repeat("a/", 120) + "y")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestOrder(t *testing.T) {
	repo := fstest.MapFS{}
	deps := map[string]string{
		"packages/api": "@a/shared local:file:../local left", "packages/shared": "@a/base", "packages/base": "",
		"packages/local": "", "packages/web": "@a/shared", "packages/left": "right", "packages/right": "left", "packages/broken": "",
	}
	for dir := range deps {
		repo[dir+"/package.json"] = &fstest.MapFile{}
	}
	repo["packages/api/node_modules/x/package.json"] = &fstest.MapFile{}
	names := map[string]string{
		"packages/api": "@a/api", "packages/shared": "@a/shared", "packages/base": "@a/base", "packages/local": "other", "packages/web": "@a/web",
		"packages/left": "left", "packages/right": "right",
	}
	set := Find(repo, Patterns{"packages/*"}, func(dir string) (Package, error) {
		if dir == "packages/broken" {
			return Package{}, errors.New("broken")
		}
		p := Package{Name: names[dir], Deps: map[string]string{}}
		for word := range strings.FieldsSeq(deps[dir]) {
			name, spec, _ := strings.Cut(word, ":")
			p.Deps[name] = spec
		}
		return p, nil
	})
	var got []string
	order := set.Order("packages/api")
	for _, p := range order {
		got = append(got, strings.TrimPrefix(p.Dir, "packages/"))
	}
	if want := "base shared right left local api"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if others := set.Others(order); !slices.Equal(others, []string{"packages/web"}) {
		t.Errorf("the others are %q", others)
	}
	if all := set.Order("nowhere"); all != nil {
		t.Errorf("got %v", all)
	}
}
