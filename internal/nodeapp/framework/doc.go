// Package framework knows the frameworks with which apps are made: how each is recognised, what builds it, and what its
// build leaves to be started or served. It owns that table, and reads an fs.FS. It does not own when a framework's way
// is taken: the author's own start command comes first (package nodeapp).
package framework
