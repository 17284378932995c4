// Package links judges the symlinks of a commit. It owns the rule; it does not own what becomes of a link.
package links

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// MaxPath is bytes of a file's whole path in the repository. Linux takes 4,095 for a path, and when mkfs.erofs opens a
// file, the folder in which gitd builds stands before it.
const MaxPath = 3840

// maxLinkSteps bounds the work for all symlinks of one commit: 50,000 links of 2,000 parts each would take minutes.
const maxLinkSteps = 100_000

// Judge judges the symlinks of a commit: each must lead to a place in the repository, there or not.
type Judge struct {
	repo  fs.ReadLinkFS
	steps *int
}

// New returns one for the commit whose files are in repo.
func New(repo fs.ReadLinkFS) Judge {
	return Judge{repo: repo, steps: new(int)}
}

// Check refuses a symlink that leads out of the repository. link is its own path, below folders that are no links. Its
// target is followed as the kernel would: "../shared/../server.js" leads to the file beside it if shared is a folder,
// and elsewhere if shared is itself a link. A part that is not in the commit counts as a folder: the build may make it.
func (j Judge) Check(link, target string) error {
	w := walk{Judge: j}
	if dir := path.Dir(link); dir != "." {
		w.at = strings.Split(dir, "/")
	}
	why := w.follow(target)
	if why == "" {
		return nil
	}
	return core.Reject(fmt.Sprintf("the symlink %q, which leads to %q, %s", progress.Shorten(link), progress.Shorten(target), why),
		"replace it by a relative link to a file of the repository, or by the file itself")
}

// walk is the way from one link.
type walk struct {
	Judge
	at    []string // the folders down to where the walk is
	gone  int      // the number of folders down to the first that is not in the commit; 0: all are
	links int      // followed
}

// follow goes where target leads. It returns why a link must not lead there, or "".
func (w *walk) follow(target string) (why string) {
	const linksOfLinux = 40
	plain := utf8.ValidString(target) && !strings.ContainsFunc(target, unicode.IsControl)
	switch {
	case target == "" || len(target) > MaxPath || !plain:
		return "has a target that is not allowed"
	case path.IsAbs(target):
		return "points outside the repository"
	}
	if w.links++; w.links > linksOfLinux {
		return "leads through more than 40 other links"
	}
	for part := range strings.SplitSeq(target, "/") {
		if *w.steps++; *w.steps > maxLinkSteps {
			return "is one of too many to follow them all"
		}
		if why := w.step(part); why != "" {
			return why
		}
	}
	return ""
}

func (w *walk) step(part string) (why string) {
	switch {
	case part == "" || part == ".":
		return ""
	case part == ".." && len(w.at) == 0:
		return "points outside the repository"
	case part == "..":
		w.at = w.at[:len(w.at)-1]
		return ""
	}
	w.at = append(w.at, part)
	next := w.here()
	if next == "" {
		return ""
	}
	w.at = w.at[:len(w.at)-1]
	return w.follow(next)
}

// here is where the walk is led on by a symlink; empty: there is none. Below what is not in the commit, it does not
// look.
func (w *walk) here() string {
	if w.gone > 0 && len(w.at) > w.gone {
		return ""
	}
	w.gone = 0
	target, err := w.repo.ReadLink(path.Join(w.at...))
	if errors.Is(err, fs.ErrNotExist) {
		w.gone = len(w.at)
	}
	return target
}
