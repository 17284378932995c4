// Package core is the vocabulary of gitd: App, Release, Machine, Manifest, Volume, Actor, Push, Rejection and what
// belongs to them, with the rules that are true of a value alone (which names there are, which state may follow
// which).
//
// It owns values and no behaviour: nothing here reads a file, waits or keeps state. Every other package may import it.
package core
