package session

import (
	"fmt"
	"os"
	"sync"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"
)

// loop is libvirt's event loop. The C library has one for the process, which cannot be replaced. So this is the only
// state of the package that is not in a Session.
var loop struct {
	once  sync.Once
	err   error
	quit  bool          // of the loop's own thread
	ended chan struct{} // closed when the loop has quit
}

// StartEventLoop starts the loop unless it runs. Libvirt's own log goes to the logFile of the first caller.
func StartEventLoop(log zerolog.Logger, logFile string) error {
	loop.once.Do(func() {
		if loop.err = redirectLog(logFile); loop.err != nil {
			return
		}
		if loop.err = libvirt.EventRegisterDefaultImpl(); loop.err != nil {
			return
		}
		loop.ended = make(chan struct{})
		go func() {
			defer close(loop.ended)
			for !loop.quit {
				if err := libvirt.EventRunDefaultImpl(); err != nil {
					log.Error().Err(err).Msg("libvirt's event loop")
				}
			}
		}()
	})
	return loop.err
}

const (
	// The loop goes round so often, with such pauses, before it ends. What was closed before is freed between two of
	// them, when the loop has nothing better to do.
	lastRounds = 3
	roundPause = 20 // milliseconds
)

// endEventLoop ends the loop for the rest of the process's life, when all that was closed before has been freed.
func endEventLoop() error {
	rounds := 0
	_, err := libvirt.EventAddTimeout(roundPause, func(int) {
		rounds++
		loop.quit = rounds >= lastRounds
	})
	if err == nil {
		<-loop.ended
	}
	return err
}

// redirectLog makes libvirt write its warnings to a file: otherwise it would write them to gitd's standard error.
// Errors also come back as return values. Rejected: a pipe into gitd's own log. The processes that libvirt forks open
// the log again, and fail.
func redirectLog(file string) error {
	const name, warnings = "LIBVIRT_LOG_OUTPUTS", 3
	if os.Getenv(name) != "" {
		return nil // somebody has set it to look for a fault
	}
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Setenv(name, fmt.Sprintf("%d:file:%s", warnings, file))
}
