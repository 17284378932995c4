package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// clockSlack is how far the clock may be off before it is set: a step of the clock is worse for a program than a small
// error, and the time that a message takes is an error too.
const clockSlack = 500 * time.Millisecond

// setClock sets the time of day. A guest under emulation may have started with an inexact one.
func setClock(t time.Time) error {
	ts := unix.NsecToTimespec(t.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return fmt.Errorf("clock: %w", err)
	}
	return nil
}

// correctClock sets the clock if it is off by more than clockSlack, and says
// what it did.
func correctClock(host time.Time) (said string, err error) {
	off := time.Until(host)
	if off.Abs() <= clockSlack {
		return "", nil
	}
	if err := setClock(host); err != nil {
		return "", err
	}
	return fmt.Sprintf("the clock was off by %s and has been set", off.Round(time.Millisecond)), nil
}
