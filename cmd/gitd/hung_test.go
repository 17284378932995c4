package main

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// callers are eight sessions with a libvirt daemon, each with three callers that never rest. With libvirt's client
// before 10.3, of which two callers on one connection follow each other's stacks, this process would crash when the
// daemon hangs: gitd did.
//
// gone waits until each session has lost the daemon; back ends the callers, and sees that the sessions have it again.
func callers(t *testing.T, uri string) (gone, back func()) {
	t.Helper()
	if err := session.StartEventLoop(zerolog.Nop(), filepath.Join(t.TempDir(), "log")); err != nil {
		t.Fatal(err)
	}
	var work, lost sync.WaitGroup
	var all []*session.Session
	for range 8 {
		var once sync.Once
		lost.Add(1)
		s, err := session.Open(t.Context(), session.Config{
			URI: uri, Daemon: true, Log: zerolog.Nop(),
			Lifecycle: func(string, *libvirt.DomainEventLifecycle) {},
			Resume:    func(*session.Link) error { return nil },
			Lost:      func(string) { once.Do(lost.Done) },
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	ask := func(l *session.Link) error {
		_, err := l.Conn.GetLibVersion()
		return err
	}
	over := make(chan struct{})
	for _, s := range all {
		for range 3 {
			work.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
						s.With(t.Context(), ask) //nolint:errcheck // it fails while the daemon hangs
					}
				}
			})
		}
	}
	return lost.Wait, func() {
		close(over)
		work.Wait()
		for _, s := range all {
			if err := s.With(t.Context(), ask); err != nil {
				t.Errorf("after the daemon is there again: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
