// Package progress is what gitd tells a person while it works: lines in the form of a push, made safe for a
// terminal, and the time of each phase.
//
// It owns the form of the lines and the pace at which a slow reader gets them. It does not own what they say.
package progress
