// Package objects reads git's objects for a build: those of a repository, and those of a push that are not in it yet.
//
// It owns where an object is looked for. It does not own what is read of it.
package objects

import (
	"errors"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"
)

// Store has the objects of both. go-git's own alternates open all indexes anew for each object, and read large objects
// into memory.
type Store struct {
	*filesystem.Storage
	pushed *filesystem.Storage // nil: there are none
}

// Open opens the objects of the bare repository repo, and those of quarantine, which has the form of one, unless it is
// empty.
func Open(repo, quarantine string) *Store {
	s := &Store{Storage: open(repo)}
	if quarantine != "" {
		s.pushed = open(quarantine)
	}
	return s
}

func open(dir string) *filesystem.Storage {
	return filesystem.NewStorageWithOptions(osfs.New(dir), cache.NewObjectLRUDefault(),
		filesystem.Options{
			KeepDescriptors: true,
			// Blobs above this size are streamed, not read into memory.
			LargeObjectThreshold: 1 << 20,
			// A repository that was cloned with --shared names another one.
			AlternatesFS: osfs.New("/"),
		})
}

// EncodedObject implements storer.EncodedObjectStorer.
func (s *Store) EncodedObject(kind plumbing.ObjectType, h plumbing.Hash) (plumbing.EncodedObject, error) {
	if s.pushed != nil {
		if found, err := s.pushed.EncodedObject(kind, h); err == nil {
			return found, nil
		}
	}
	return s.Storage.EncodedObject(kind, h)
}

// EncodedObjectSize implements storer.EncodedObjectStorer.
func (s *Store) EncodedObjectSize(h plumbing.Hash) (int64, error) {
	if s.pushed != nil {
		if size, err := s.pushed.EncodedObjectSize(h); err == nil {
			return size, nil
		}
	}
	return s.Storage.EncodedObjectSize(h)
}

// Close closes the files that are open.
func (s *Store) Close() error {
	err := s.Storage.Close()
	if s.pushed != nil {
		err = errors.Join(err, s.pushed.Close())
	}
	return err
}
