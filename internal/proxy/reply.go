package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lastWords is how long a client may take to receive the answer to a request
// that was cut.
const lastWords = time.Second

// reply is the way back to the client of one request.
//
// It lets an app answer before it has read the whole request: to refuse an upload, or to stream in both directions. On
// its own, net/http reads what is left of the request, up to 256 KiB, before it sends a response. A client that waits
// for the response would then wait forever, and the app would miss those bytes. net/http does not do so if the response
// closes the connection, so here such a response closes it. Rejected: ResponseController.EnableFullDuplex. With it, a
// rest of the request that nobody reads breaks the connection's next request (go.dev/issue/68560).
type reply struct {
	http.ResponseWriter
	alone       bool // the request has its connection to itself: HTTP/1
	bare        bool // and that is plain
	stall       time.Duration
	slow        *time.Timer // of writes, if the connection is shared
	sent        atomic.Bool // the request has been read to its end
	stalled     atomic.Bool // the client has sent nothing more of it for too long
	closing     bool        // the response closes the connection
	reading     sync.Mutex  // guards interrupted, and the time that the client has to send more
	interrupted bool        // the reading of the request was ended
	unsent      error       // why nothing was sent; then the client was not answered either
}

// newReply returns the reply to r. It replaces the body of r, to see when it has been read.
func newReply(w http.ResponseWriter, r *http.Request, stall time.Duration) *reply {
	p := &reply{ResponseWriter: w, stall: stall, alone: r.ProtoMajor < 2, bare: r.ProtoMajor < 2 && r.TLS == nil}
	if r.ContentLength == 0 {
		p.sent.Store(true)
		return p
	}
	r.Body = &watchedBody{ReadCloser: r.Body, reply: p}
	return p
}

// WriteHeader implements http.ResponseWriter.
func (p *reply) WriteHeader(status int) {
	if status >= 200 && !p.sent.Load() && p.alone {
		p.Header().Set("Connection", "close")
		p.closing = true
	}
	p.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (p *reply) Write(b []byte) (int, error) {
	defer p.writing()()
	return p.ResponseWriter.Write(b)
}

// direct is what takes a body from a machine's connection without a copy; nil: nothing does.
func (p *reply) direct(v *visit) io.ReaderFrom {
	if !p.bare {
		return nil
	}
	return v
}

// FlushError is http.Flusher's Flush for http.ResponseController.
func (p *reply) FlushError() error {
	defer p.writing()()
	return http.NewResponseController(p.ResponseWriter).Flush()
}

// writing ends the request if the client takes nothing of its answer for too long, though its connection is busy with
// others. Where the connection is the request's own, the connection itself sees to that.
func (p *reply) writing() (done func()) {
	if p.alone {
		return func() {}
	}
	if p.slow == nil {
		p.slow = time.AfterFunc(p.stall, func() {
			http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now()) //nolint:errcheck // a closed stream has ended too
		})
	} else {
		p.slow.Reset(p.stall)
	}
	return func() { p.slow.Stop() }
}

// Unwrap lets http.ResponseController flush and hijack.
func (p *reply) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// interrupt ends what waits for the client: a transport does not return from a cancelled request while it reads the
// client's body. interrupt may run beside the handler, but not after it.
func (p *reply) interrupt() {
	rc := http.NewResponseController(p.ResponseWriter)
	rc.SetWriteDeadline(time.Now().Add(lastWords)) //nolint:errcheck // a closed connection has ended too
	p.reading.Lock()
	defer p.reading.Unlock()
	if !p.sent.Load() {
		p.interrupted = true
		rc.SetReadDeadline(time.Now()) //nolint:errcheck // likewise
	}
}

// finish closes the connection if the reading of the request was ended and the response would have kept the connection
// open: net/http takes such a connection for broken.
func (p *reply) finish() {
	if p.interrupted && !p.closing && p.alone {
		panic(http.ErrAbortHandler)
	}
}

// watchedBody is the request's body for one attempt to send it. If the attempt closes a body of which nothing was read,
// the body stays open: it is whole, and can be sent elsewhere.
type watchedBody struct {
	io.ReadCloser
	reply *reply
	state atomic.Int32
}

const (
	bodyWhole int32 = iota
	bodyBegun
	bodyLeft // closed while it was whole
)

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	if !b.state.CompareAndSwap(bodyWhole, bodyBegun) && b.state.Load() == bodyLeft {
		return 0, http.ErrBodyReadAfterClose
	}
	b.reply.expect(false)
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.reply.sent.Store(true)
		b.reply.expect(true)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		b.reply.stalled.Store(true)
	}
	return n, err
}

// Close implements io.Closer.
func (b *watchedBody) Close() error {
	if b.state.CompareAndSwap(bodyWhole, bodyLeft) || b.state.Load() == bodyLeft {
		return nil
	}
	return b.ReadCloser.Close()
}
