package disk

import (
	"errors"
	"os"
)

// SyncFolder makes what was created, renamed and removed in a folder last.
func SyncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
