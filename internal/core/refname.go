package core

import (
	"errors"
	"strings"
)

// maxRefName bounds the full name of a ref, in bytes: a part of it is the name of a file, and so is its lock.
const maxRefName = 240

// CheckRefName says why name cannot be the full name of a ref that is stored here, or nil. The rules are those of
// git check-ref-format. git checks the names that it stores itself, and not those that it hands to a hook.
func CheckRefName(name string) error {
	switch {
	case len(name) > maxRefName:
		return errors.New("the name is too long")
	case !strings.HasPrefix(name, "refs/"), strings.HasSuffix(name, "."),
		strings.Contains(name, ".."), strings.Contains(name, "@{"), strings.ContainsAny(name, ` ~^:?*[\`+"\x7f"),
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }):
		return errors.New("git allows no such name")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return errors.New("git allows no such name")
		}
	}
	return nil
}
