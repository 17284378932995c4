package session

import (
	"fmt"
	"os"
	"sync"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"
)

// loop is libvirt's event loop. The C library has one for the process, which cannot be stopped or replaced. So this is
// the only state of the package that is not in a Session.
var loop struct {
	once sync.Once
	err  error
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
		go func() {
			for {
				if err := libvirt.EventRunDefaultImpl(); err != nil {
					log.Error().Err(err).Msg("libvirt's event loop")
				}
			}
		}()
	})
	return loop.err
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
