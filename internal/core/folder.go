package core

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFolder bounds the name of a folder of a repository, in bytes.
const maxFolder = 255

// CleanFolder reads the name of a folder of a repository as people type it: "packages/api", "./packages/api/", or "."
// for the root. What cannot be one is a *Rejection. Whether there is such a folder is not known here.
func CleanFolder(name string) (string, error) {
	refuse := func(why string) (string, error) {
		return "", Reject(fmt.Sprintf("%.80q %s", name, why), `name a folder below the root of the repository, such as "packages/api"`)
	}
	dir := path.Clean(name)
	parts := strings.Split(dir, "/")
	switch {
	case name == "":
		return refuse("is no folder")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsRune(name, '\\'):
		return refuse("has characters that the name of a folder has not")
	case len(name) > maxFolder:
		return refuse(fmt.Sprintf("is longer than %d bytes", maxFolder))
	case path.IsAbs(name):
		return refuse("begins with a slash, and the folder is below the root of the repository")
	case slices.Contains(strings.Split(name, "/"), ".."):
		return refuse("leads through \"..\"")
	case !fs.ValidPath(dir), strings.HasPrefix(dir, "-"), slices.Contains(parts, "node_modules"), slices.Contains(parts, ".git"):
		return refuse("is no folder of an app")
	}
	return dir, nil
}
