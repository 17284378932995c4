package oneoff

import (
	"context"
	"io"
	"sync"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// Streams are who exchanges bytes with a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Resized  <-chan core.Size // later sizes of the terminal of TaskOf; may be nil
}

// chunk is a part of what a command has written.
type chunk struct {
	stream string
	data   []byte
}

// pipes are the bytes that are on their way. A guest can send as much as it was given room for, and no more is kept for
// a client that does not read.
type pipes struct {
	mu      sync.Mutex
	changed *sync.Cond
	chunks  []chunk
	unread  int // bytes that came and were not taken by the client
	room    int // bytes of input that the guest takes
	closed  bool
}

func newPipes() *pipes {
	p := &pipes{}
	p.changed = sync.NewCond(&p.mu)
	return p
}

// put keeps a chunk for the client. It reports false if the guest had no room for it.
func (p *pipes) put(c chunk) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(c.data) == 0 || len(c.data) > guest.DataRoom-p.unread {
		return false
	}
	p.chunks, p.unread = append(p.chunks, c), p.unread+len(c.data)
	p.changed.Broadcast()
	return true
}

// take waits for a chunk. ok is false when none comes any more.
func (p *pipes) take() (c chunk, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.chunks) == 0 && !p.closed {
		p.changed.Wait()
	}
	if len(p.chunks) == 0 {
		return c, false
	}
	c, p.chunks = p.chunks[0], p.chunks[1:]
	return c, true
}

// taken notes that the client has n bytes more.
func (p *pipes) taken(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unread -= n
}

// grant notes that the guest takes n bytes more.
func (p *pipes) grant(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room = min(p.room+min(max(n, 0), guest.DataRoom), guest.DataRoom)
	p.changed.Broadcast()
}

// wait waits until the guest takes input, and returns how many bytes of one message. Zero says that the command has
// ended.
func (p *pipes) wait() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.room == 0 && !p.closed {
		p.changed.Wait()
	}
	if p.closed {
		return 0
	}
	return min(p.room, guest.MaxData)
}

// sent notes that n bytes of input are on their way.
func (p *pipes) sent(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room -= n
}

// close says that the command has ended. What came before is still taken.
func (p *pipes) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.changed.Broadcast()
}

// attach carries the bytes between the command and its client. done waits until the client has everything that the
// command wrote, unless ctx has ended: then the client has gone.
func (o *one) attach(ctx context.Context) (done func()) {
	if o.pipes == nil {
		return func() {}
	}
	p, s := o.pipes, o.job.Streams
	id, told := o.id, context.WithoutCancel(ctx)
	tell := func(t core.Tell) bool { return o.m.cfg.Driver.Tell(told, id, t) == nil }
	written := make(chan struct{})
	go func() {
		defer close(written)
		p.carryOut(s, tell, func(err error) { o.cancel(err) })
	}()
	go p.carryIn(s.In, tell)
	over := o.over
	go func() {
		for {
			select {
			case size, ok := <-s.Resized:
				if !ok || !tell(core.Tell{Resize: &size}) {
					return
				}
			case <-over:
				return
			}
		}
	}()
	return func() {
		p.close()
		select {
		case <-written:
		case <-ctx.Done():
		}
	}
}

// carryOut gives the client what the command writes, and then the guest room for more. A client that takes nothing
// holds the command up, and nobody else. lost is called if the client has gone.
func (p *pipes) carryOut(s *Streams, tell func(core.Tell) bool, lost func(error)) {
	for {
		c, ok := p.take()
		if !ok {
			return
		}
		to := s.Out
		if c.stream == "stderr" {
			to = s.Err
		}
		if _, err := to.Write(c.data); err != nil {
			lost(err)
			return
		}
		p.taken(len(c.data))
		tell(core.Tell{Room: len(c.data)}) // a guest that has ended needs none
	}
}

// carryIn gives the guest what the client sends, as far as it has room.
func (p *pipes) carryIn(in io.Reader, tell func(core.Tell) bool) {
	buf := make([]byte, guest.MaxData)
	for {
		most := p.wait()
		if most == 0 {
			return
		}
		n, err := in.Read(buf[:most])
		p.sent(n)
		if !tell(core.Tell{Input: buf[:n], EOF: err != nil}) || err != nil {
			return
		}
	}
}
