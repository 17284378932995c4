// Package latch is what a channel is when it carries nothing and is closed once, to say that something has happened.
//
// It owns that closing it again is no panic. It does not own a lock: of those that may close the same channel, each
// holds its owner's.
package latch

// Close closes c, unless it is closed.
func Close(c chan struct{}) {
	if !Closed(c) {
		close(c)
	}
}

// Closed reports whether c is closed.
func Closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
