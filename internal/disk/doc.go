// Package disk is what gitd asks of a file system and does to one.
//
// It owns how much is used and free, what to say when it is full, and how a change of names lasts and a locked folder
// is removed. It does not own how much anyone may take: that stands with who takes it.
package disk
