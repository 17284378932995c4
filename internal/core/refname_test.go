package core

import (
	"os/exec"
	"strings"
	"testing"
)

var refNames = []string{
	"refs/tags/v1", "refs/tags/a/b", "refs/tags/ä", "refs/tags/@", "refs/tags/v1.", "refs/tags/.v1", "refs/tags/a/.b",
	"refs/tags/v1.lock", "refs/tags/v1.lock/a", "refs/tags/a..b", "refs/tags/a b", "refs/tags/a~1", "refs/tags/a^",
	"refs/tags/a:b", "refs/tags/a?", "refs/tags/a*", "refs/tags/a[b", `refs/tags/a\b`, "refs/tags/a\nb", "refs/tags/\x7f",
	"refs/tags//a", "refs/tags/a/", "refs/tags/", "refs/tags/a@{1}", "refs/tags/-a", "refs/tags/\"a",
}

// TestCheckRefName: what git refuses to store is refused, and nothing else is.
func TestCheckRefName(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip(err)
	}
	for _, name := range refNames {
		git := exec.Command("git", "check-ref-format", name).Run() == nil
		if err := CheckRefName(name); (err == nil) != git {
			t.Errorf("%q: %v, and for git it is right: %v", name, err, git)
		}
	}
	for _, name := range []string{"", "tags/v1", "HEAD", "refs/tags/" + strings.Repeat("a", 240)} {
		if CheckRefName(name) == nil {
			t.Errorf("%.40q is allowed", name)
		}
	}
}

// FuzzCheckRefName: a name that is allowed is one word on one line, and stays below its folder.
func FuzzCheckRefName(f *testing.F) {
	for _, name := range refNames {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if CheckRefName(name) == nil && (strings.ContainsAny(name, " \n\x00") || strings.Contains(name, "..")) {
			t.Errorf("%q is allowed", name)
		}
	})
}
