package core

import (
	"fmt"
	"regexp"
)

// Full object names of git, as git prints them.
var (
	objectName       = regexp.MustCompile(`^[0-9a-f]{40}$`)
	objectNameSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// CheckObjectName says why name cannot be the full name of an object in an app's repository, or nil. The repositories
// use SHA-1: git does not push from one kind of repository into the other, and go-git, with which builds read them, is
// compiled for one of the two.
func CheckObjectName(name string) error {
	switch {
	case objectName.MatchString(name):
		return nil
	case objectNameSHA256.MatchString(name):
		return Reject(fmt.Sprintf("%.7s names an object of a SHA-256 repository, which gitd cannot read", name),
			"make a repository with `git init --object-format=sha1`, commit the files there, and push that one")
	}
	return fmt.Errorf("%.80q is not the full name of a git object", name)
}
