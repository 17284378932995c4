package libvirt

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// errChannelClosed says that this side has closed the channel, or has not opened it yet.
var errChannelClosed = errors.New("channel is closed")

// wouldBlock is what a non-blocking stream returns when it cannot move a byte now.
const wouldBlock = -2

// channel is the host's end of a machine's control channel, a libvirt stream.
//
// The stream does not block. On a blocking one, a send and a receive in two goroutines lock each other out. Libvirt's
// event loop says when the stream is ready. The loop must never wait, so its callback only wakes the goroutines that
// do.
type channel struct {
	stream *libvirt.Stream
	read   chan struct{} // capacity 1: may be readable
	write  chan struct{} // capacity 1: may be writable
	closed chan struct{}

	// inUse is held for reading by each transfer, and for writing by Close, which frees the stream.
	inUse sync.RWMutex
	// writing is held while one message is written: a long message is sent in parts.
	writing sync.Mutex

	mu    sync.Mutex // guards what follows; nobody who holds it waits for inUse
	armed libvirt.StreamEventType
	ended bool // Close has begun: the callback must not touch the stream
}

// openChannel opens the control channel of dom. It ends another connection to that channel, which can only be that of a
// gitd that has ended.
func openChannel(l *session.Link, dom *libvirt.Domain) (*channel, error) {
	stream, err := l.Stream()
	if err != nil {
		return nil, fmt.Errorf("control channel: %w", err)
	}
	c := &channel{
		stream: stream,
		read:   make(chan struct{}, 1), write: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	if err := dom.OpenChannel(guest.Port, stream, libvirt.DOMAIN_CHANNEL_FORCE); err != nil {
		return nil, errors.Join(fmt.Errorf("control channel: %w", err), stream.Free())
	}
	if err := stream.EventAddCallback(0, c.ready); err != nil {
		return nil, errors.Join(fmt.Errorf("control channel: %w", err), stream.Abort(), stream.Free())
	}
	return c, nil
}

// ready is called by the event loop. It disarms the events that it reports: otherwise the loop would call it again at
// once, until somebody has read.
func (c *channel) ready(_ *libvirt.Stream, events libvirt.StreamEventType) {
	const over = libvirt.STREAM_EVENT_HANGUP | libvirt.STREAM_EVENT_ERROR
	if events&over != 0 {
		events |= libvirt.STREAM_EVENT_READABLE | libvirt.STREAM_EVENT_WRITABLE
	}
	c.mu.Lock()
	c.update(c.armed &^ events)
	c.mu.Unlock()
	if events&libvirt.STREAM_EVENT_READABLE != 0 {
		wake(c.read)
	}
	if events&libvirt.STREAM_EVENT_WRITABLE != 0 {
		wake(c.write)
	}
}

// update sets what the event loop watches. The caller holds mu.
func (c *channel) update(events libvirt.StreamEventType) {
	c.armed = events
	if !c.ended {
		// It fails when the stream has been aborted; the next transfer then
		// says so.
		c.stream.EventUpdateCallback(events) //nolint:errcheck // see above
	}
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// await arms event and waits for it.
func (c *channel) await(event libvirt.StreamEventType, fired <-chan struct{}) error {
	c.mu.Lock()
	c.update(c.armed | event)
	c.mu.Unlock()
	select {
	case <-fired:
		return nil
	case <-c.closed:
		return errChannelClosed
	}
}

// Read waits for bytes from the guest. io.EOF says that the machine has ended.
func (c *channel) Read(p []byte) (int, error) {
	for {
		n, err := c.transfer(func() (int, error) { return c.stream.Recv(p) })
		if n != wouldBlock {
			return n, err
		}
		if err := c.await(libvirt.STREAM_EVENT_READABLE, c.read); err != nil {
			return 0, err
		}
	}
}

// Write waits until the guest's side has taken all of p. Close ends the wait.
func (c *channel) Write(p []byte) (written int, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	for written < len(p) {
		n, err := c.transfer(func() (int, error) { return c.stream.Send(p[written:]) })
		if err != nil {
			return written, err
		}
		if n != wouldBlock {
			written += n
			continue
		}
		if err := c.await(libvirt.STREAM_EVENT_WRITABLE, c.write); err != nil {
			return written, err
		}
	}
	return written, nil
}

// transfer calls f unless the channel is closed.
func (c *channel) transfer(f func() (int, error)) (int, error) {
	c.inUse.RLock()
	defer c.inUse.RUnlock()
	select {
	case <-c.closed:
		return 0, errChannelClosed
	default:
	}
	return f()
}

// Close closes this end of the channel, which is all that the guest notices. It may be called more than once.
func (c *channel) Close() error {
	c.mu.Lock()
	again := c.ended
	c.ended = true
	c.mu.Unlock()
	if again {
		return nil
	}
	close(c.closed)
	c.inUse.Lock()
	defer c.inUse.Unlock()
	return errors.Join(c.stream.EventRemoveCallback(), c.stream.Abort(), c.stream.Free())
}

var _ io.ReadWriteCloser = (*channel)(nil)
