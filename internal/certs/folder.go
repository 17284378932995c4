package certs

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

const (
	lookEvery = 5 * time.Second // at the folder
	maxFile   = 1 << 20         // bytes of a file with certificates
)

// folder is the operator's folder of certificates: NAME.pem with both, or NAME.crt with NAME.key. It is read again when
// a file in it has changed. Rejected: inotify, which does not see what changes behind a symbolic link (certbot) or on
// another host (NFS).
type folder struct {
	path  string
	log   zerolog.Logger
	every time.Duration

	pairs  atomic.Pointer[names]
	last   map[string]*tls.Certificate // of each name of a file, as it was good last
	stamps string                      // what the files looked like when they were read
}

// openFolder reads the folder. A pair that is no good is in the log, and the others are used.
func openFolder(path string, log zerolog.Logger) (*folder, error) {
	f := &folder{path: path, log: log, every: lookEvery, last: map[string]*tls.Certificate{}}
	f.pairs.Store(&names{})
	stamps, err := f.look()
	if err != nil {
		return nil, err
	}
	f.read(stamps)
	return f, nil
}

// watch looks at the folder until ctx ends.
func (f *folder) watch(ctx context.Context) {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stamps, err := f.look()
		if err != nil {
			f.log.Error().Err(err).Msg("the folder of certificates cannot be read: those that were read stay")
		} else if stamps != f.stamps {
			f.read(stamps)
		}
	}
}

// look is what the files are now: their names, sizes and times.
func (f *folder) look() (string, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(f.path, e.Name())); err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(&b, "%s\x00%d %d %s\n", e.Name(), info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
	}
	return b.String(), nil
}

// read reads all pairs. One that cannot be used stays as it was before: a file may be half written.
func (f *folder) read(stamps string) {
	f.stamps = stamps
	found, last := names{}, map[string]*tls.Certificate{}
	for line := range strings.Lines(stamps) {
		file, _, _ := strings.Cut(line, "\x00")
		name, key, ok := pairOf(file)
		if !ok {
			continue
		}
		c, err := f.pair(file, key)
		if err != nil {
			f.log.Error().Err(err).Str("file", file).Msg("a certificate cannot be used")
			c = f.last[name]
		}
		if c != nil {
			last[name] = c
			found.add(c)
		}
	}
	f.last = last
	f.pairs.Store(&found)
	f.log.Info().Int("certificates", len(last)).Str("folder", f.path).Msg("certificates were read")
}

// pairOf says in which files the pair is that begins with file; its key may be in the same.
func pairOf(file string) (name, key string, ok bool) {
	if strings.HasSuffix(file, ".pem") {
		return file, "", true
	}
	if name, ok = strings.CutSuffix(file, ".crt"); ok {
		return file, name + ".key", true
	}
	return "", "", false
}

func (f *folder) pair(file, key string) (*tls.Certificate, error) {
	texts := make([][]byte, 0, 2)
	for _, name := range []string{file, key} {
		if name == "" {
			continue
		}
		text, err := f.file(name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	p, err := Split(texts...)
	if err != nil {
		return nil, err
	}
	return p.Open()
}

func (f *folder) file(name string) ([]byte, error) {
	file, err := os.Open(filepath.Join(f.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("its key is missing: %s", name)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", name, maxFile)
	}
	return text, err
}
