// Package oneoff is the machines that run one command to its end: what a person runs, the release command of a
// deployment, and scheduled jobs.
//
// It owns their number, their time, the bytes between them and whoever waits for them, and their end. It does not own
// how a machine runs (fleet.Driver), its image and environment (package fleet), nor when a release command is due
// (package deploy). They are in no ledger: those that are left of an earlier gitd are strays, which its next start
// removes.
package oneoff
