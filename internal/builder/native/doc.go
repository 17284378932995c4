// Package native finds what compiled files of an app want of their machine: the libraries that Node's dynamic loader
// will look for, and does not find.
//
// It owns the reading of ELF files, whose every byte is hostile, the loader's rules of where a library is looked for
// inside an app, and the rule that says which files Node can load. It does not own what the base and Debian's packages
// have, which the caller says, nor what a build does about a library that is missing.
package native
