package volume

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Recover implements apps.VolumeFiles.
func (s *Store) Recover(known []core.Volume) (strays []string, missing []core.Volume, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byID := map[string]bool{}
	for _, v := range known {
		byID[v.ID] = true
	}
	if err := errors.Join(s.recoverNew(byID), s.recoverRemoved(byID), s.sweepDrafts(), s.sync()); err != nil {
		return nil, nil, err
	}
	files, err := s.files("")
	if err != nil {
		return nil, nil, err
	}
	for id := range files {
		if !byID[id] {
			strays = append(strays, s.state.Volume(id))
		}
	}
	for _, v := range known {
		if files[v.ID] == nil {
			missing = append(missing, v)
		}
	}
	slices.Sort(strays)
	return strays, missing, s.dropLabels(func(id string) bool { return byID[id] || files[id] != nil })
}

// dropLabels removes the labels of volumes that are gone, and those that were being written.
func (s *Store) dropLabels(there func(id string) bool) error {
	labels, err := filepath.Glob(core.LabelFiles(s.state).Volume("*"))
	for _, path := range labels {
		if !there(strings.TrimSuffix(filepath.Base(path), ".json")) {
			err = errors.Join(err, remove(path))
		}
	}
	begun, globErr := filepath.Glob(filepath.Join(s.state.Volumes(), ".*.json*"))
	for _, path := range begun {
		err = errors.Join(err, remove(path))
	}
	return errors.Join(err, globErr)
}

// recoverNew completes creations whose volume is in the ledger, and undoes the others.
func (s *Store) recoverNew(known map[string]bool) error {
	begun, err := s.files(markNew)
	for id, info := range begun {
		path := s.state.Volume(id)
		if !known[id] {
			// It is the same file as the marked one, so this creation made it, and nothing was written to it since.
			if placed, e := os.Lstat(path); e == nil && os.SameFile(info, placed) {
				err = errors.Join(err, remove(path))
			}
		}
		err = errors.Join(err, remove(path+markNew))
	}
	return err
}

// recoverRemoved completes removals whose volume is no longer in the ledger, and undoes the others.
func (s *Store) recoverRemoved(known map[string]bool) error {
	begun, err := s.files(markRemoved)
	for id := range begun {
		path := s.state.Volume(id)
		if known[id] {
			err = errors.Join(err, putBack(path))
		} else {
			err = errors.Join(err, remove(path+markRemoved))
		}
	}
	return err
}
