// Package debian brings packages of the Debian that the host runs into a folder, without installing anything.
//
// It owns how they are chosen, fetched and unpacked: by the host's own apt, with the host's sources and keys, in a
// folder of its own, so that signatures and hashes are checked by the program that is made for it; and by a reader of
// ours, which writes no device, no bit that gives rights, and nothing outside of the folder. No maintainer script runs.
// It does not own which packages an app wants, what becomes of the folder, nor what the base has already.
package debian
