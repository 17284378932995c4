package service

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Folder is a folder that shall belong to the account, with all that is in it.
type Folder struct {
	Path string
	From []int // users, beside root, whose files are handed over: those that a gitd of root gave files to
	Mode fs.FileMode
}

// looked is how deep State looks for files of root's, below the folder. Whatever gitd does makes a file that deep: a
// push makes a layer, a boot makes a machine's folder. Only such a file leads to a walk through everything, which takes
// seconds where there are a million files.
const looked = 2

// State says what is to be done with a folder.
type State int

// The states of a folder.
const (
	Ready    State = iota // it is the account's, or does not exist
	Mixed                 // it is the account's, and holds files of root's
	OfRoot                // it is root's
	Stranger              // it is another user's
)

// State looks at a folder. It follows no link.
func (f Folder) State(a Account) (State, error) {
	info, err := os.Stat(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Ready, nil
	}
	if err != nil {
		return Ready, err
	}
	switch owner(info) {
	case 0:
		return OfRoot, nil
	case a.UID:
	default:
		return Stranger, nil
	}
	found, err := ofRoot(f.Path, 1)
	if found {
		return Mixed, err
	}
	return Ready, err
}

func ofRoot(dir string, depth int) (found bool, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, ignoreMissing(err)
	}
	for _, e := range entries {
		if depth == 1 && e.Name() == lostAndFound {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // a daemon works in the folder
		}
		if err != nil {
			return false, err
		}
		if owner(info) == 0 {
			return true, nil
		}
		if e.IsDir() && depth < looked {
			if found, err = ofRoot(filepath.Join(dir, e.Name()), depth+1); found || err != nil {
				return found, err
			}
		}
	}
	return false, nil
}

// lostAndFound is of the file system, if a folder is the top of one.
const lostAndFound = "lost+found"

// Make makes the folder if it is missing, for the account. The folders above it stay root's.
func (f Folder) Make(a Account) error {
	err := os.MkdirAll(filepath.Dir(f.Path), 0o755)
	if err == nil {
		err = os.Mkdir(f.Path, f.Mode)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Lchown(f.Path, a.UID, a.GID)
}

func owner(info fs.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
