package main

import "golang.org/x/sys/unix"

// attemptsHere are those that other processors do not have.
func attemptsHere() map[string]func() error {
	return map[string]func() error{
		"I/O ports": func() error { return call(unix.SYS_IOPL, 3) },
	}
}
