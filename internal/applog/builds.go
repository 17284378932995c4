package applog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

const (
	maxBuild  = 512 << 10 // bytes of one deployment's text that are written as they come
	buildTail = 64 << 10  // bytes of its end that are kept if it is longer
	maxBuilds = 50        // texts that are kept for one app; the oldest are removed
)

// Builds keeps what each deployment printed, one file for each release. It implements engine.BuildLogs.
type Builds struct {
	dir func(app string) string

	// Lines gets the same as lines, for those who read by and by, if Wanted says that somebody does; nil: nobody does.
	Lines  *Store
	Wanted func(app string) bool
}

// OpenBuilds keeps the texts of an app in the folder dir(app), which is made
// when it is needed.
func OpenBuilds(dir func(app string) string) Builds { return Builds{dir: dir} }

// Begin starts the text of a release. Writing to it never fails: a full disk must not make a deployment fail.
func (b Builds) Begin(app string, release int) (io.WriteCloser, error) {
	if err := core.CheckName(app); err != nil { // the name becomes part of a path
		return nil, err
	}
	if err := os.MkdirAll(b.dir(app), 0o700); err != nil {
		return nil, err
	}
	b.dropOld(app)
	f, err := os.OpenFile(b.path(app, release), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	w := &buildWriter{file: f}
	if b.Lines != nil && b.Wanted(app) {
		w.said = &lineWriter{say: func(text string) {
			b.Lines.Append(app, core.Line{Time: time.Now(), Release: release, Stream: "build", Text: text})
		}}
	}
	return w, nil
}

// Text returns what the deployment of a release has printed so far. It returns core.ErrNotFound if nothing was kept.
func (b Builds) Text(app string, release int) (string, error) {
	if err := core.CheckName(app); err != nil {
		return "", err
	}
	text, err := os.ReadFile(b.path(app, release))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("build output of v%d: %w", release, core.ErrNotFound)
	}
	return string(text), err
}

// Remove removes the texts of an app.
func (b Builds) Remove(ctx context.Context, app string) error {
	if err := core.CheckName(app); err != nil {
		return err
	}
	if b.Lines != nil {
		if err := b.Lines.Remove(ctx, app); err != nil {
			return err
		}
	}
	return os.RemoveAll(b.dir(app))
}

// Rename gives the texts of an app to its new name.
func (b Builds) Rename(ctx context.Context, from, to string) error {
	if err := errors.Join(core.CheckName(from), core.CheckName(to)); err != nil {
		return err
	}
	if b.Lines != nil {
		if err := b.Lines.Rename(ctx, from, to); err != nil {
			return err
		}
	}
	if err := os.Rename(b.dir(from), b.dir(to)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (b Builds) path(app string, release int) string {
	return filepath.Join(b.dir(app), "v"+strconv.Itoa(release)+".log")
}

// dropOld removes the oldest texts, so that one more fits. It leaves a file that it cannot remove.
func (b Builds) dropOld(app string) {
	entries, err := os.ReadDir(b.dir(app))
	if err != nil {
		return
	}
	var versions []int
	for _, e := range entries {
		number, _ := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".log"), "v")
		if v, err := strconv.Atoi(number); err == nil {
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	for _, v := range versions[:max(0, len(versions)-maxBuilds+1)] {
		os.Remove(b.path(app, v)) //nolint:errcheck // see above
	}
}

// buildWriter writes the first maxBuild bytes to the file. Of the rest it remembers the last buildTail bytes, because
// the reason of a failed build stands at its end.
type buildWriter struct {
	file    *os.File
	said    *lineWriter // nil: nobody wants lines
	written int
	left    int // bytes that are not in the file
	tail    []byte
}

// Write implements io.Writer.
func (w *buildWriter) Write(p []byte) (int, error) {
	n := len(p)
	w.said.write(p)
	if w.left == 0 && w.written+n <= maxBuild {
		w.file.Write(p) //nolint:errcheck // see Begin
		w.written += n
		return n, nil
	}
	w.left += n
	w.tail = append(w.tail, p...)
	if over := len(w.tail) - buildTail; over > 0 {
		w.tail = append(w.tail[:0], w.tail[over:]...)
	}
	return n, nil
}

// Close writes the end of a text that was too long, and closes the file.
func (w *buildWriter) Close() error {
	w.said.end()
	if w.left > 0 {
		if out := w.left - len(w.tail); out > 0 {
			fmt.Fprintf(w.file, " !     %d bytes are left out here\n", out) // see Begin
		}
		w.file.Write(w.tail) //nolint:errcheck // see Begin
	}
	return w.file.Close()
}

// lineWriter makes lines of what is written. A nil one makes none.
type lineWriter struct {
	say  func(text string)
	rest []byte // the beginning of a line
}

func (w *lineWriter) write(p []byte) {
	if w == nil {
		return
	}
	for {
		line, more, ended := bytes.Cut(p, newline)
		if room := maxText - len(w.rest); room > 0 {
			w.rest = append(w.rest, line[:min(len(line), room)]...)
		}
		if !ended {
			return
		}
		w.end()
		p = more
	}
}

func (w *lineWriter) end() {
	if w == nil {
		return
	}
	if text := strings.TrimRight(string(w.rest), " \r"); text != "" {
		w.say(text)
	}
	w.rest = w.rest[:0]
}
