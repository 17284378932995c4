// Package units reads and writes sizes, and writes times, as people do.
//
// It owns the one grammar of sizes that gitd accepts and the one form in which it prints them. It does not own
// which sizes are allowed: each limit stands with what it limits.
package units
