package server

import (
	"bytes"
	"context"
	"io"
)

// The keys that mean something on a terminal unless a program reads its keys
// itself.
const (
	interrupt = 0x03 // ^C
	endOfText = 0x04 // ^D
)

// maxTyped is how many reads of the client's keys are kept for a command that
// does not read yet. More are dropped, so that ^C is always seen.
const maxTyped = 64

// cooked makes standard input of the keys that a client sends, as the kernel
// does for a local terminal: ^C ends the command (cancel), ^D ends the input,
// and return is a newline.
func cooked(keys io.Reader, cancel context.CancelFunc) io.Reader {
	in := &typed{chunks: make(chan []byte, maxTyped)}
	go func() {
		defer close(in.chunks)
		for {
			buf := make([]byte, 1024)
			n, err := keys.Read(buf)
			text := bytes.ReplaceAll(buf[:n], []byte{'\r'}, []byte{'\n'})
			if bytes.IndexByte(text, interrupt) >= 0 {
				cancel()
				return
			}
			if len(text) > 0 {
				select {
				case in.chunks <- text:
				default:
				}
			}
			if err != nil {
				return
			}
		}
	}()
	return in
}

// typed is the input that was typed and not read yet.
type typed struct {
	chunks chan []byte
	rest   []byte
	ended  bool // by ^D
}

// Read implements io.Reader.
func (t *typed) Read(p []byte) (int, error) {
	if t.ended {
		return 0, io.EOF
	}
	if len(t.rest) == 0 {
		var ok bool
		if t.rest, ok = <-t.chunks; !ok {
			return 0, io.EOF
		}
	}
	text, _, ended := bytes.Cut(t.rest, []byte{endOfText})
	n := copy(p, text)
	if t.rest = t.rest[n:]; ended && n == len(text) {
		t.ended = true
		if n == 0 {
			return 0, io.EOF
		}
	}
	return n, nil
}
