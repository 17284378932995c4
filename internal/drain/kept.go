package drain

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
)

// kept is what a drain remembers when gitd ends. It is not in the ledger: it changes each second, and who loses it
// loses no more than the lines that wait for a receiver.
type kept struct {
	At      map[string]core.LogPosition `json:"at"` // by source and app: "app/shop"
	Sent    int64                       `json:"sent"`
	Dropped int64                       `json:"dropped"`
}

// place is a log in kept.At.
func place(source, app string) string { return source + "/" + app }

func split(place string) (source, app string) {
	source, app, _ = strings.Cut(place, "/")
	return source, app
}

func keptPath(dir, id string) string { return filepath.Join(dir, id+".json") }

// readKept reads what a drain has kept; ok is false if that is nothing. What cannot be read is nothing too: the drain
// begins anew.
func readKept(dir, id string) (k kept, ok bool, err error) {
	text, err := os.ReadFile(keptPath(dir, id))
	if errors.Is(err, fs.ErrNotExist) {
		return kept{}, false, nil
	}
	if err != nil {
		return kept{}, false, err
	}
	whole := json.Unmarshal(text, &k) == nil && k.At != nil
	return k, whole, nil
}

// write keeps k, as a whole or not at all.
func (k kept) write(dir, id string) error {
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	path := keptPath(dir, id)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return disk.SyncFolder(dir)
}
