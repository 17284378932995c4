// Package workspace reads a monorepo: which folders are packages of one root, and which of them a package needs.
//
// It owns the patterns of npm, yarn and pnpm that name such folders, and the order in which packages are built. It is
// pure: it reads package.json files and names of folders. It does not own what is done with it (package nodeapp).
package workspace
