// Package lockfile reads what decides about an installation in the lockfiles of npm, yarn and pnpm.
//
// It owns where their packages come from, which of them have scripts, and which versions of a tool read a lockfile as
// it is. It is pure. It does not own which lockfile counts, nor what is decided (package nodeapp).
package lockfile
