package builder

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/builder/links"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

const (
	maxName = image.MaxName
	maxPath = links.MaxPath
)

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
	case len(name) > maxName:
		return refuse(fmt.Sprintf("is longer than %d bytes", maxName), "shorten it, commit, and push again")
	case len(full) > maxPath:
		return refuse(fmt.Sprintf("is, with its folders, longer than %d bytes", maxPath),
			"shorten it, commit, and push again")
	}
	return full, nil
}
