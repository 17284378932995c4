package builder

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

const maxPath = 255 // bytes of a file's whole path in the repository

// checkEntry refuses a tree entry that no checkout should make. dir is the
// folder it is in, "" at the root; the path of both is returned.
func checkEntry(dir, name string) (string, error) {
	full := name
	if dir != "" {
		full = dir + "/" + name
	}
	refuse := func(why, hint string) (string, error) {
		return "", core.Reject(fmt.Sprintf("the file name %q %s", progress.Shorten(full), why), hint)
	}
	const rename = "rename it, commit, and push again"
	switch {
	case name == "" || name == "." || name == "..", strings.ContainsRune(name, '/'):
		return refuse("is not allowed", "the repository was not made by git; make the commit again")
	case strings.EqualFold(name, ".git"):
		return refuse("is not allowed", "a repository cannot contain another one's .git")
	case !utf8.ValidString(name):
		return refuse("is not UTF-8", rename)
	case strings.ContainsFunc(name, unicode.IsControl):
		return refuse("contains a newline or another control character", rename)
	case len(full) > maxPath:
		return refuse(fmt.Sprintf("is longer than %d bytes", maxPath), "shorten it, commit, and push again")
	}
	return full, nil
}

// checkLink refuses a symlink that leads out of the repository. link is its
// own path. A target may climb first and then descend, and not climb again:
// then it stays inside even if what it descends through are links.
func checkLink(link, target string) error {
	refuse := func(why string) error {
		return core.Reject(fmt.Sprintf("the symlink %q %s", progress.Shorten(link), why),
			"replace it by a relative link to a file of the repository, or by the file itself")
	}
	plain := utf8.ValidString(target) && !strings.ContainsFunc(target, unicode.IsControl)
	switch {
	case target == "" || len(target) > maxPath || !plain:
		return refuse("has a target that is not allowed")
	case path.IsAbs(target):
		return refuse("points outside the repository")
	}
	depth, descended := strings.Count(link, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			depth--
			if depth < 0 {
				return refuse("points outside the repository")
			}
			if descended {
				return refuse(`goes down and up again; "../" may only come first`)
			}
		default:
			descended = true
		}
	}
	return nil
}
