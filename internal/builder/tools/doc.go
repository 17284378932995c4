// Package tools gets the programs that a build runs: Node, npm, yarn and pnpm, in the versions that a repository asks
// for.
//
// It owns the choice of versions, and what each package manager is told. It runs none of them, and it does not own the
// registry's cache.
package tools
