// Package disk asks a file system how much is used and free, says what to do when it is full, and makes changes
// last.
package disk
