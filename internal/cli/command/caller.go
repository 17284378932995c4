// Package command is what the commands share: what they act on, who calls, how an app is found, how a listing is
// printed, and how a wrong command line is answered.
//
// It owns the answers that all commands give alike. It does not own any command (package cli and those below it).
package command

import (
	"io"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// Caller is who runs a command and with what.
type Caller struct {
	core.Actor
	In       io.Reader
	Out      io.Writer
	Err      io.Writer
	Door     Door             // how the caller reaches the SSH door
	Terminal *terminal.Window // what Out is shown on; nil: no terminal

	// Stay claims a place among the caller's commands that go on until somebody ends them; nil: there is no limit.
	Stay func() error
	// Denied is told why the caller may not do what they typed; nil: nobody wants to know.
	Denied func(why string)
}

// Stays claims a place for a command that goes on until somebody ends it.
func (c Caller) Stays() error {
	if c.Stay == nil {
		return nil
	}
	return c.Stay()
}

// Shared is what all commands have: what they act on, and who calls.
type Shared struct {
	Services
	Caller
}
