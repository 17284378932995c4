package guest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrTooLong says that an encoded message is longer than MaxMessage.
var ErrTooLong = errors.New("guest: message too long")

// Encode returns m as one line, newline included.
func Encode(m Message) ([]byte, error) {
	m.V = Version
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("guest: encode %s: %w", m.Kind, err)
	}
	if len(b)+1 > MaxMessage {
		return nil, fmt.Errorf("%w: %s, %d bytes", ErrTooLong, m.Kind, len(b)+1)
	}
	return append(b, '\n'), nil
}

// Writer sends whole messages; it is safe for concurrent use.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write sends m.
func (w *Writer) Write(m Message) error {
	b, err := Encode(m)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err = w.w.Write(b)
	return err
}

// Reader reads messages and survives whatever the other side sends: lines
// that are too long, not JSON or of another version are skipped and counted.
type Reader struct {
	r       *bufio.Reader
	Skipped int // lines that were no message
}

// NewReader reads from r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, 64<<10)} }

// Read returns the next message. Its error is the underlying reader's.
func (r *Reader) Read() (Message, error) {
	for {
		line, err := r.line()
		if err != nil {
			return Message{}, err
		}
		if m, ok := decode(line); ok {
			return m, nil
		}
		r.Skipped++
	}
}

// line returns the next line of at most MaxMessage bytes; a longer one comes
// back empty.
func (r *Reader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := r.r.ReadSlice('\n')
		if len(line)+len(part) <= MaxMessage {
			line = append(line, part...)
		} else {
			line = line[:0:0]
			if errors.Is(err, bufio.ErrBufferFull) {
				if err := r.skip(); err != nil {
					return nil, err
				}
				return nil, nil
			}
		}
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// skip reads on to the end of the line.
func (r *Reader) skip() error {
	for {
		_, err := r.r.ReadSlice('\n')
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func decode(line []byte) (Message, bool) {
	var m Message
	if err := json.Unmarshal(bytes.TrimSpace(line), &m); err != nil || m.V != Version || m.Kind == "" {
		return Message{}, false
	}
	return m, m.complete()
}

// complete reports whether the part that belongs to the message's kind is
// there, so that readers need not look for nil. Unknown kinds pass: a newer
// guest may say more than an older host knows.
func (m Message) complete() bool {
	switch m.Kind {
	case KindStart:
		return m.Start != nil
	case KindStop:
		return m.Stop != nil
	case KindBooted:
		return m.Booted != nil
	case KindMisplaced:
		return m.Misplaced != nil
	case KindExited:
		return m.Exited != nil
	case KindLog:
		return m.Log != nil
	case KindTime:
		return m.Time != nil
	case KindAck:
		return m.Ack != nil
	case KindBeat:
		return m.Beat != nil
	case KindStats:
		return m.Stats != nil
	case KindInput:
		return m.Input != nil
	case KindOutput:
		return m.Output != nil
	case KindRoom:
		return m.Room != nil
	case KindSignal:
		return m.Signal != nil
	case KindResize:
		return m.Resize != nil
	case KindFreeze:
		return m.Freeze != nil
	}
	return true
}
