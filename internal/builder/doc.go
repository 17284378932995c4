// Package builder turns a commit into the read-only layers of a NodeOS image.
//
// It owns the plan of a build (what is in this repository, which Node, what
// starts it), the Node toolchain from the npm registry, the sandbox in which
// other people's install and build scripts run, the layers' content, and the
// NodeOS base they stand on. It does not own when a build happens, what
// becomes of its result, or how a machine boots it: that is package deploy.
package builder
