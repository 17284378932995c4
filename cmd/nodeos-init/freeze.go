package main

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// The ioctls of linux/fs.h, which package unix does not name.
const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

// freezeMost is for how long writes are held at most, whatever the host says: a host that is gone says nothing.
const freezeMost = time.Minute

// freeze answers the host's question. Whoever ends a freeze learns whether it has lasted until then.
func (s *supervisor) freeze(f guest.Freeze) {
	answer := guest.Freeze{ID: f.ID}
	if s.frozen == nil && f.Millis <= 0 {
		answer.Error = "it was over"
	}
	s.thaw()
	if f.Millis > 0 && !s.stopping {
		s.frozen = time.After(min(time.Duration(f.Millis)*time.Millisecond, freezeMost))
		if err := s.host.freeze(); err != nil {
			s.thaw()
			answer.Error = err.Error()
		}
	}
	s.out.put(guest.Message{Kind: guest.KindFreeze, Freeze: &answer})
}

// thaw lets writes go on, if they are held.
func (s *supervisor) thaw() {
	if s.frozen != nil {
		s.frozen = nil
		s.host.thaw()
	}
}

// freeze implements host. What was written goes out before, so that writers wait only for what comes meanwhile. The
// volumes stay open: the app may put something else in the place of one below /app. What is no folder is not opened.
func (m *machine) freeze() error {
	for _, path := range m.volumes {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		m.frozen = append(m.frozen, fd)
		if err := unix.Syncfs(fd); err != nil {
			return err
		}
	}
	for _, fd := range m.frozen {
		if err := unix.IoctlSetInt(fd, fiFreeze, 0); err != nil {
			return err
		}
	}
	return nil
}

// thaw implements host. A volume that is not frozen says so, which is no harm.
func (m *machine) thaw() {
	for _, fd := range m.frozen {
		unix.IoctlSetInt(fd, fiThaw, 0) //nolint:errcheck // see above
		unix.Close(fd)
	}
	m.frozen = nil
}
