// Package builder turns a commit into the layers of an image.
//
// It owns the build: the commit's files and what of them may be written down, Node and npm from the registry, the
// sandbox in which other people's install and build scripts run, the dependencies that are kept for the next build, and
// the room that all of that may take. It does not own what a repository says (package nodeapp), how a layer is packed
// and kept (package image), what the app stands on (package base), when a build happens, or what becomes of its result.
package builder
