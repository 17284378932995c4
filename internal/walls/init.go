package walls

import (
	"context"
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

// EndWith kills PID 1 when ctx ends, whatever has become of bubblewrap's first process: a second one that has just
// changed its rights is not told of the first one's death. No more of that happens when stop has returned, which must
// be before WaitGone.
func (i Init) EndWith(ctx context.Context) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ctx.Done():
			i.kill()
		case <-over:
		}
	}()
	return func() {
		close(over)
		<-done
	}
}

func (i Init) kill() {
	if i.fd >= 0 {
		unix.PidfdSendSignal(i.fd, unix.SIGKILL, nil, 0) //nolint:errcheck // dead is as good
	}
}

// WaitGone makes sure that PID 1 is dead, and everything below it with it.
func (i Init) WaitGone() {
	if i.fd < 0 {
		return
	}
	defer unix.Close(i.fd)
	i.kill()
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(i.fd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}
