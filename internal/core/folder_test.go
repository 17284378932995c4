package core

import (
	"errors"
	"strings"
	"testing"
)

func TestCleanFolder(t *testing.T) {
	for name, want := range map[string]string{
		"api": "api", "packages/api": "packages/api", "./packages//api/": "packages/api", ".": ".", "./": ".",
		"it's mine": "it's mine", "äpi": "äpi", ".github/app": ".github/app", "a/./b": "a/b",
	} {
		if got, err := CleanFolder(name); got != want || err != nil {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{
		"", "..", "../api", "a/..", "a/../b", "a/../../b", "/", "/etc", "//api", "-rf", "--dir", "a\nb", "a\x00b", "a\xff", "a\x1b[2J",
		`..\api`, `a\b`, ".git", "a/.git/hooks", "node_modules/ms", "a/node_modules", strings.Repeat("a/", 200),
	} {
		got, err := CleanFolder(name)
		r, ok := errors.AsType[*Rejection](err)
		if !ok || got != "" || len(r.Reason) > 500 || strings.ContainsAny(r.Reason, "\n\x1b\x00") {
			t.Errorf("%q: got %q, %v", name, got, err)
		}
	}
}
