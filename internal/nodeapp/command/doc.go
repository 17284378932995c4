// Package command follows a start command to the programs that it runs: through the scripts of package.json, through
// npm, yarn and pnpm, and through the programs that only prepare another one.
//
// It owns which program runs, in which folder and with which variables, what runs at build time instead, and which
// words are known to have no effect in a machine; whatever else it meets, it refuses by name. It is pure: it reads
// package.json files and names of folders. It does not own where a start command is looked for, nor what a program's
// name stands for in node_modules (package nodeapp).
package command
