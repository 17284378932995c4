package base

import (
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/base/stamp"
)

// soundFor is how long a file that was read and found right need not be read again while its stamp is the same. Every
// push boots from the same 80 MB: to read them each time takes processor time from the boot beside it, and shows
// nothing new. What a disk loses by itself changes no stamp, so they are read once a day all the same.
const soundFor = 24 * time.Hour

// settled is how old a file's last change must be for its stamp to be trusted: the kernel's clock for that has steps of
// some milliseconds, and two changes within one step have the same stamp.
const settled = time.Second

// sound remembers which files were right. Its zero value is ready to use.
type sound struct {
	mu   sync.Mutex
	seen map[string]time.Time // by stamp, when it was read
}

// check calls read for the file at path, unless it was right a short while ago and has not been touched since.
func (s *sound) check(path string, now time.Time, read func() error) error {
	var b strings.Builder
	if err := stamp.Write(&b, path); err != nil { // before the file is read: a change meanwhile is seen the next time
		return err
	}
	s.mu.Lock()
	at, known := s.seen[b.String()]
	s.mu.Unlock()
	if known && now.Sub(at) < soundFor {
		return nil
	}
	if err := read(); err != nil {
		return err
	}
	if changed, err := stamp.Changed(path); err != nil || now.Sub(changed) < settled {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]time.Time{}
	}
	for old, at := range s.seen { // of files that are gone, too
		if now.Sub(at) >= soundFor {
			delete(s.seen, old)
		}
	}
	s.seen[b.String()] = now
	return nil
}
