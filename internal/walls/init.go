package walls

import (
	"encoding/json"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Init is PID 1 of a sandbox, held by a pidfd. Bubblewrap's outer
// process ends a moment before the processes inside are killed with their
// PID 1; what follows (packing, removing) must not meet them.
type Init struct {
	PID int // as this process sees it; 0: there is none
	fd  int // -1: none
}

// OpenInit reads the pid from bubblewrap's status pipe.
func OpenInit(status *os.File) Init {
	var line struct {
		PID int `json:"child-pid"`
	}
	if err := json.NewDecoder(status).Decode(&line); err != nil || line.PID <= 0 {
		return Init{fd: -1} // bubblewrap failed before there was one
	}
	fd, err := unix.PidfdOpen(line.PID, 0)
	if err != nil {
		return Init{fd: -1} // gone already
	}
	return Init{line.PID, fd}
}

// WaitGone makes sure that PID 1 is dead, and everything below it with it.
func (i Init) WaitGone() {
	if i.fd < 0 {
		return
	}
	defer unix.Close(i.fd)
	unix.PidfdSendSignal(i.fd, unix.SIGKILL, nil, 0) //nolint:errcheck // dead is as good
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(i.fd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
