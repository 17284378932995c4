// Package vault is the form of a file with the memory of a machine: encrypted, and read as a whole or not at all.
//
// It owns the form and the keys' making. It does not own where keys and files are kept.
//
// A file is a row of chunks, each sealed by AES-256-GCM with its number, and with whether it is the last, so that none
// can be changed, moved, left out or cut off. Each file has a key of its own: numbers of chunks never repeat under a
// key. AES and not ChaCha20, as in the ledger: processors have it, and the memory of a machine is 100 MB.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
)

// KeySize is the size of a key, in bytes.
const KeySize = 32

// chunk is how much is sealed at once.
const chunk = 1 << 20

// ErrDamaged is that a file is not what was written with this key.
var ErrDamaged = errors.New("it is damaged, or was cut off")

// NewKey makes a key for one file.
func NewKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key)
	return key
}

// sealed is what both directions have.
type sealed struct {
	aead cipher.AEAD
	next uint64 // number of the next chunk
	buf  []byte // of a chunk, with room for its seal
}

func newSealed(key []byte) (sealed, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealed{}, err
	}
	aead, err := cipher.NewGCM(block)
	return sealed{aead: aead, buf: make([]byte, 0, chunk+aead.Overhead())}, err
}

// nonce is that of the next chunk.
func (s *sealed) nonce(last bool) []byte {
	n := make([]byte, s.aead.NonceSize())
	if last {
		n[0] = 1
	}
	binary.BigEndian.PutUint64(n[len(n)-8:], s.next)
	s.next++
	return n
}

// Writer seals what is written to it.
type Writer struct {
	sealed
	to io.Writer
}

// NewWriter makes a Writer. Only with its Close is the file whole.
func NewWriter(to io.Writer, key []byte) (*Writer, error) {
	s, err := newSealed(key)
	return &Writer{s, to}, err
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p[:min(len(p), chunk-len(w.buf))]
		w.buf = append(w.buf, part...)
		p, n = p[len(part):], n+len(part)
		if len(w.buf) == chunk {
			if err := w.flush(false); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

func (w *Writer) flush(last bool) error {
	_, err := w.to.Write(w.aead.Seal(w.buf[:0], w.nonce(last), w.buf, nil))
	w.buf = w.buf[:0]
	return err
}

// Close writes the last chunk. It does not close what is below.
func (w *Writer) Close() error { return w.flush(true) }

// Reader opens what a Writer has sealed.
type Reader struct {
	sealed
	from io.Reader
	left []byte // of the chunk that was opened
	last bool
}

// NewReader makes a Reader. What it gives was written so; with io.EOF it was given as a whole.
func NewReader(from io.Reader, key []byte) (*Reader, error) {
	s, err := newSealed(key)
	return &Reader{sealed: s, from: from}, err
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.last {
			return 0, io.EOF
		}
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// open opens the next chunk. The last one, and no other, is not full.
func (r *Reader) open() error {
	n, err := io.ReadFull(r.from, r.buf[:cap(r.buf)])
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		r.last = true
	case err != nil:
		return err
	}
	r.left, err = r.aead.Open(r.buf[:0], r.nonce(r.last), r.buf[:n], nil)
	if err != nil {
		return ErrDamaged
	}
	return nil
}
