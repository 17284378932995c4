package applog

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Remove implements apps.Files: it removes what app has printed. It ends no followers; they get what an app of the same
// name prints later.
func (s *Store) Remove(_ context.Context, app string) error {
	return s.closeFor(app, func(_ string, files []string) error {
		var errs []error
		for _, f := range files {
			if err := os.Remove(f); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		s.Reader.Removed(app)
		return errors.Join(errs...)
	})
}

// Rename implements apps.Files: it moves what the app from has printed to the name to. A rename that was interrupted
// can be repeated.
func (s *Store) Rename(_ context.Context, from, to string) error {
	if _, err := s.stream(to); err != nil {
		return err
	}
	return s.closeFor(from, func(path string, files []string) error {
		before, after := strings.TrimSuffix(path, filepath.Ext(path)), strings.TrimSuffix(s.path(to), filepath.Ext(path))
		var errs []error
		for _, f := range files {
			err := os.Rename(f, after+strings.TrimPrefix(f, before))
			if !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		s.Reader.Renamed(from, to)
		return errors.Join(errs...)
	})
}

// closeFor writes what is queued for app, closes its file, and calls work with the paths of all of its files. The next
// line of the app begins a new file.
func (s *Store) closeFor(app string, work func(path string, files []string) error) error {
	st, err := s.stream(app)
	if err != nil {
		return err
	}
	st.disk.Lock()
	defer st.disk.Unlock()
	st.flush(nil)
	old, err := oldPaths(st.path)
	if err != nil {
		return err
	}
	if err := st.file.Close(); err != nil {
		return err
	}
	return work(st.path, append(old, st.path))
}
