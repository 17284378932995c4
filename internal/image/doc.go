// Package image is the files of images: layers, and what bases are made of.
//
// It owns how a folder becomes a read-only file system whose bytes depend on nothing else, the store of layers by their
// digests, which files are there and whole, who needs them, and how one is removed that nobody needs. It does not own
// what is in them (package builder and package base).
package image
