package main

import (
	"os"
	"slices"
	"sync"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// streams carry the input and the output of an attached task byte for byte. Each side sends only what the other has
// room for: so a flood waits in the task's own pipe, and a client that does not read makes nobody grow.
type streams struct {
	out *outbox

	master, slave *os.File       // the two ends of a terminal; nil: there is none
	poured        sync.WaitGroup // what a terminal shows, to its end

	mu      sync.Mutex
	changed *sync.Cond
	room    int    // bytes of output that the host still takes
	input   []byte // received and not written to the task yet; at most guest.DataRoom
	ended   bool   // no more input follows
}

func newStreams(out *outbox) *streams {
	t := &streams{out: out, room: guest.DataRoom}
	t.changed = sync.NewCond(&t.mu)
	return t
}

// taken notes that the host has room again.
func (t *streams) taken(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.room = min(t.room+max(n, 0), guest.DataRoom)
	t.changed.Broadcast()
}

// received notes a part of the input. More than there is room for is dropped.
func (t *streams) received(in guest.Input) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.input = append(t.input, in.Data[:min(len(in.Data), guest.DataRoom-len(t.input))]...)
	t.ended = t.ended || in.EOF
	t.changed.Broadcast()
}

// feed writes the input to w until its end, which is w's end, or eof where w is a terminal. A task that does not read
// any more does not hold the sender up.
func (t *streams) feed(w *os.File, eof []byte) {
	if eof == nil {
		defer w.Close()
	}
	for n, more := guest.DataRoom, true; more; {
		t.out.put(guest.Message{Kind: guest.KindRoom, Room: &guest.Room{Bytes: n}})
		var data []byte
		if data, more = t.nextInput(); !more {
			data = append(data, eof...)
		}
		w.Write(data) //nolint:errcheck // see above
		n = len(data)
	}
}

// nextInput waits for input and takes it. more is false at its end.
func (t *streams) nextInput() (data []byte, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.input) == 0 && !t.ended {
		t.changed.Wait()
	}
	data, t.input = t.input, nil
	return data, !t.ended
}

// pour sends what is read from r until its end.
func (t *streams) pour(stream string, r *os.File) {
	defer r.Close()
	buf := make([]byte, guest.MaxData)
	for {
		n, err := r.Read(buf) // of a terminal that nobody has open any more, an error
		t.send(stream, buf[:n])
		if err != nil {
			return
		}
	}
}

// send sends a copy of data, each part when there is room for it.
func (t *streams) send(stream string, data []byte) {
	for part := range slices.Chunk(data, guest.MaxData) {
		t.await(len(part), len(part))
		t.out.put(guest.Message{Kind: guest.KindOutput, Output: &guest.Output{Stream: stream, Data: slices.Clone(part)}})
	}
}

// await waits until there is room for n bytes, and takes some of it.
func (t *streams) await(n, take int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.room < n {
		t.changed.Wait()
	}
	t.room -= take
}

// openInput makes the pipe through which the processes of a task get its input, one after the other.
func (t *streams) openInput() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	if err := r.Chown(guest.AppUID, guest.AppUID); err != nil { // for those that open /dev/stdin
		return nil, err
	}
	go t.feed(w, nil)
	return r, nil
}
