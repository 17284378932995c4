// Package units writes and reads sizes and times as people do.
//
// It owns the one grammar of sizes that gitd accepts and the one form in which it prints them.
package units
