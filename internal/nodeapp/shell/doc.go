// Package shell reads a command line as a POSIX shell does, as far as it can be run without one.
//
// It owns which parts of the language those are, and how a word becomes a core.Word. It does not know any program: what
// npm, cd or export mean is package nodeapp's.
package shell
