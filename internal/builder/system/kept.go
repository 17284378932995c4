package system

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/image"
)

// key names additions: by the commit that got them, or by exactly what they are.
func key(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q", additionsFormat, parts))
	return hex.EncodeToString(sum[:16])
}

// read is what was kept under key.
func (s *System) read(key string) (a additions, ok bool) {
	b, err := os.ReadFile(s.path(key))
	return a, err == nil && json.Unmarshal(b, &a) == nil
}

// ready reports whether the layer of a can be taken as it is, and keeps collections from removing it.
func (s *System) ready(a additions) bool {
	s.Hold.Take(a.Layer.Digest)
	return !s.Fresh && image.CheckLayer(s.State, a.Layer) == nil
}

func (s *System) path(key string) string { return filepath.Join(s.Kept, key+".json") }

// kept is how many records an app keeps: those of its last commits. Each has some KB; the layers are kept by
// the releases that use them.
const kept = 64

func (s *System) keep(key string, a additions) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	name := s.path(key)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	if err := renameio.WriteFile(name, b, 0o600); err != nil {
		return err
	}
	records, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*.json"))
	if err != nil {
		return err
	}
	slices.SortFunc(records, func(a, b string) int { return modified(b).Compare(modified(a)) })
	for _, old := range records[min(kept, len(records)):] {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
