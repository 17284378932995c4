package libvirt

import (
	"fmt"
	"os"
	"sync"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"
)

// loop starts libvirt's event loop. The C library has one for the process,
// which cannot be stopped or replaced, so this is the one piece of state here
// that is not in a Driver.
var loop struct {
	once sync.Once
	err  error
}

// startEventLoop starts the loop unless it runs. Libvirt's own log goes to
// logFile; of several callers the first one's is used.
func startEventLoop(log zerolog.Logger, logFile string) error {
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

// redirectLog has libvirt write its warnings to a file: it would write to our
// stderr. Errors reach us as return values as well. A pipe into our own log
// was tried; the processes that libvirt forks open the log again, and fail.
func redirectLog(file string) error {
	const name, warnings = "LIBVIRT_LOG_OUTPUTS", 3
	if os.Getenv(name) != "" {
		return nil // somebody looks for something
	}
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Setenv(name, fmt.Sprintf("%d:file:%s", warnings, file))
}
