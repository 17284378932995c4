package gateway

import (
	"bytes"
	"io"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// closeTime is how long the guest may take to acknowledge the end of a connection.
const closeTime = 10 * time.Second

// guestEnd is the stack's end of a connection with the guest, with reads and writes that wait. It has no deadlines, and
// takes a buffer only when there is something for it: package gonet's does the opposite.
type guestEnd struct {
	ep       tcpip.Endpoint
	canRead  chan struct{}
	canWrite chan struct{}
	gone     chan struct{}
}

func newGuestEnd(ep tcpip.Endpoint, queue *waiter.Queue, crowded bool) *guestEnd {
	if crowded {
		ep.SocketOptions().SetReceiveBufferSize(crowdBuffer, true)
		ep.SocketOptions().SetSendBufferSize(crowdBuffer, true)
	}
	const ends = waiter.EventHUp | waiter.EventErr
	entry := func(mask waiter.EventMask) chan struct{} {
		e, c := waiter.NewChannelEntry(mask)
		queue.EventRegister(&e) // for good: the queue ends with the connection
		return c
	}
	return &guestEnd{
		ep: ep, canRead: entry(waiter.ReadableEvents | ends), canWrite: entry(waiter.WritableEvents | ends), gone: entry(ends),
	}
}

// readable waits until there is something to read, be it the end.
func (e *guestEnd) readable() {
	for e.ep.Readiness(waiter.ReadableEvents)&waiter.ReadableEvents == 0 && !e.isGone() {
		<-e.canRead
	}
}

// writable waits until there is room for what is to be read next.
func (e *guestEnd) writable() {
	for e.ep.Readiness(waiter.WritableEvents)&waiter.WritableEvents == 0 && !e.isGone() {
		<-e.canWrite
	}
}

// read returns io.EOF when the guest has said that it sends no more.
func (e *guestEnd) read(b []byte) (int, error) {
	w := tcpip.SliceWriter(b)
	r, err := e.ep.Read(&w, tcpip.ReadOptions{})
	switch err.(type) {
	case *tcpip.ErrWouldBlock:
		return 0, nil
	case *tcpip.ErrClosedForReceive:
		return 0, io.EOF
	case nil:
		e.ep.ModerateRecvBuf(r.Count)
		return r.Count, nil
	}
	return 0, fail("read from the guest", err)
}

func (e *guestEnd) write(b []byte) error {
	r := bytes.NewReader(b)
	for r.Len() > 0 {
		_, err := e.ep.Write(r, tcpip.WriteOptions{})
		if _, full := err.(*tcpip.ErrWouldBlock); full {
			<-e.canWrite
		} else if err != nil {
			return fail("write to the guest", err)
		}
	}
	return nil
}

func (e *guestEnd) isGone() bool {
	switch tcp.EndpointState(e.ep.State()) {
	case tcp.StateClose, tcp.StateError, tcp.StateTimeWait:
		return true
	}
	return false
}

// close returns when the stack keeps no more of the connection than for a moment.
func (e *guestEnd) close() {
	e.ep.Close()
	t := time.NewTimer(closeTime)
	defer t.Stop()
	for !e.isGone() {
		select {
		case <-e.gone:
		case <-t.C:
			e.ep.Abort()
			return
		}
	}
}
