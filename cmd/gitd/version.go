package main

import (
	"cmp"
	"runtime/debug"
)

// linkedVersion is set by the linker: `make build` passes what `git describe` says of the checkout.
var linkedVersion string

// buildVersion returns the version that people are told: what the linker was given, or else what Go noted in the
// program.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(linkedVersion, info)
}

// versionOf prefers the version from the linker, then the version of the module (`go install …@v1.2.3`, or the tag of a
// checkout), then the commit.
func versionOf(linked string, info *debug.BuildInfo) string {
	module := info.Main.Version
	if module == "(devel)" { // Go knows only that this is no release
		module = ""
	}
	return cmp.Or(linked, module, commitOf(info), "unknown")
}

// commitOf returns the commit that a program was built from, in short form, and whether files were changed since. It is
// empty if that is not known.
func commitOf(info *debug.BuildInfo) string {
	var commit, changed string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "-dirty"
		}
	}
	if commit == "" {
		return ""
	}
	return commit + changed
}
