// Package image owns the files of images: which are there, who needs them, and which may be removed.
//
// It does not own what is in them (package builder and package base).
package image
