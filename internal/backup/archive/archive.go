// Package archive is the form of a backup: a tar of plain files, which says at its beginning what it is, and at its end
// the SHA-256 of everything in it, as sha256sum -c reads it. So a backup can be written to a pipe, one that was cut off
// is known as such, and whoever has one can take it apart without gitd.
//
// It owns the form and its limits. It does not own what is in a backup (package backup).
package archive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"
	"time"
)

// Format is the version of the form. A newer one is refused: it says something that this gitd would drop.
const Format = 1

// The names of the first and of the last file.
const (
	headName = "backup.json"
	sumsName = "SHA256SUMS"
)

// The limits of what is read.
const (
	mostHead    = 64 << 10 // bytes
	mostEntries = 4 << 20
	mostName    = 256     // bytes
	mostFile    = 1 << 40 // bytes
)

// Head says what a backup is.
type Head struct {
	Format  int       `json:"format"`
	Gitd    string    `json:"gitd"` // the version that has written it
	Created time.Time `json:"created"`
	Secrets bool      `json:"secrets"` // it has the keys
	Layers  bool      `json:"layers"`  // it has the images, so that nothing must be built
}

// ErrNone says that something is no backup.
var ErrNone = errors.New("this is no backup of gitd")

// ErrCut says that a backup is not whole.
var ErrCut = errors.New("the backup is cut off")

// ErrChanged says that a backup is not as it was written.
var ErrChanged = errors.New("the backup is damaged: its digests are others")

// sums is the text of SHA256SUMS, as a digest: nobody needs to keep it.
type sums struct{ hash.Hash }

func (s sums) add(name string, digest []byte) { fmt.Fprintf(s, "%s", sumLine(name, digest)) }

func sumLine(name string, digest []byte) string {
	return hex.EncodeToString(digest) + "  " + name + "\n"
}

// Writer writes a backup.
type Writer struct {
	tar   *tar.Writer
	at    time.Time
	lines bytes.Buffer
}

// NewWriter begins a backup.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	h.Format = Format
	a := &Writer{tar: tar.NewWriter(w), at: h.Created.Truncate(time.Second)}
	text, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return nil, err
	}
	return a, a.Bytes(headName, append(text, '\n'))
}

// Bytes adds a small file.
func (a *Writer) Bytes(name string, b []byte) error {
	return a.Add(name, int64(len(b)), bytes.NewReader(b))
}

// Add adds a file of exactly size bytes.
func (a *Writer) Add(name string, size int64, r io.Reader) error {
	if err := a.header(name, size); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(a.tar, sum), r, size); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.lines.WriteString(sumLine(name, sum.Sum(nil)))
	return nil
}

func (a *Writer) header(name string, size int64) error {
	return a.tar.WriteHeader(&tar.Header{ // of GNU's form, which has no records beside it
		Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: a.at, Format: tar.FormatGNU,
	})
}

// Close ends the backup. Without it, it is cut off.
func (a *Writer) Close() error {
	if err := a.header(sumsName, int64(a.lines.Len())); err != nil {
		return err
	}
	if _, err := a.lines.WriteTo(a.tar); err != nil {
		return err
	}
	return a.tar.Close()
}

// File is one file of a backup that is being read.
type File struct {
	Name string
	Size int64 // bytes
	io.Reader
}

// Read reads a backup. It calls each with every file but the first and the last; what each does not read is read after
// it. Nothing of it may be believed before Read has returned nil.
func Read(r io.Reader, begin func(Head) error, each func(File) error) error {
	in, all := tar.NewReader(r), sums{sha256.New()}
	h, err := readHead(in, all)
	if err != nil {
		return err
	}
	if err := begin(h); err != nil {
		return err
	}
	for range mostEntries {
		f, err := next(in)
		if err != nil {
			return err
		}
		if f.Name == sumsName {
			return readSums(in, all)
		}
		if err := readFile(f, all, each); err != nil {
			return err
		}
	}
	return errors.New("the backup has too many files")
}

// next is the next file. Whatever is no plain file with a plain name, and all of its bytes, is refused.
func next(in *tar.Reader) (File, error) {
	h, err := in.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return File{}, ErrCut
	case err != nil:
		return File{}, fmt.Errorf("%w: %w", ErrChanged, err)
	case h.Typeflag != tar.TypeReg || h.Size < 0 || h.Size > mostFile || len(h.PAXRecords) > 0:
		return File{}, fmt.Errorf("%w: %.80q is no plain file", ErrChanged, h.Name)
	case len(h.Name) > mostName || h.Name != path.Clean(h.Name) || path.IsAbs(h.Name) || h.Name == ".." || strings.HasPrefix(h.Name, "../") ||
		strings.ContainsFunc(h.Name, func(r rune) bool { return r <= ' ' || r == '\\' || r > '~' }):
		return File{}, fmt.Errorf("%w: %.80q is no name of a file in it", ErrChanged, h.Name)
	}
	return File{h.Name, h.Size, in}, nil
}

func readHead(in *tar.Reader, all sums) (h Head, err error) {
	f, err := next(in)
	if err != nil || f.Name != headName || f.Size > mostHead {
		return h, errors.Join(ErrNone, err)
	}
	err = readFile(f, all, func(f File) error {
		text, err := io.ReadAll(f)
		if err == nil && json.Unmarshal(text, &h) != nil {
			err = ErrNone
		}
		return err
	})
	switch {
	case err != nil:
		return h, err
	case h.Format > Format:
		return h, fmt.Errorf("the backup has the form %d, of gitd %.40q, and this gitd knows up to %d: restore it with that one, or a newer one",
			h.Format, h.Gitd, Format)
	case h.Format < 1:
		return h, ErrNone
	}
	return h, nil
}

func readFile(f File, all sums, each func(File) error) error {
	sum := sha256.New()
	from := f.Reader
	f.Reader = io.TeeReader(from, sum)
	err := each(f)
	if err == nil {
		_, err = io.Copy(io.Discard, f.Reader)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrCut
	}
	all.add(f.Name, sum.Sum(nil))
	return err
}

// readSums compares what was read with what was written, and sees to the end of the file: a pipe into which the backup
// still writes must not break.
func readSums(in io.Reader, all sums) error {
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil {
		return ErrCut
	}
	if !bytes.Equal(sum.Sum(nil), all.Sum(nil)) {
		return ErrChanged
	}
	return nil
}
