package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/nodeos-dev/gitd/internal/admit"
)

const (
	// quicIdle ends a connection from which no packet has come for so long: its client may have gone without a word.
	quicIdle = 30 * time.Second
	// manyShakes is from how many handshakes on a client must show first that it can be reached at its address.
	manyShakes = 32
)

// ServeQUIC is ServeTLS for clients that speak HTTP/3, on a socket of UDP, which it does not close. A request that was
// sent before the handshake has ended (0-RTT) is not taken, for somebody may have recorded it.
func (p *Proxy) ServeQUIC(ctx context.Context, conn net.PacketConn, how *tls.Config) error {
	srv := &http3.Server{
		Handler: p, MaxHeaderBytes: maxHeader, IdleTimeout: idleLimit, ConnContext: known,
	}
	tr := &quic.Transport{
		Conn: conn, ConnContext: p.crowd.packet,
		VerifySourceAddress: func(net.Addr) bool { return p.crowd.shaking.Load() >= manyShakes },
	}
	defer tr.Close()
	l, err := tr.Listen(http3.ConfigureTLSConfig(how), &quic.Config{
		HandshakeIdleTimeout: headerLimit / 2, MaxIdleTimeout: quicIdle,
		MaxIncomingStreams: maxStreams, MaxIncomingUniStreams: 8,
	})
	if err != nil {
		return fmt.Errorf("front door of HTTP/3: %w", err)
	}
	defer srv.Close()
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		p.end()
		late, cancel := context.WithTimeout(context.Background(), shutdownLimit)
		defer cancel()
		srv.Shutdown(late) //nolint:errcheck // what is left is cut
	})
	err = srv.ServeListener(l)
	if stop() {
		return fmt.Errorf("front door of HTTP/3: %w", err)
	}
	<-done
	return nil
}

// errCrowded is why a connection of QUIC is refused.
var errCrowded = errors.New("too many connections are at work")

type guestKey struct{}

// guestOf is the connection of QUIC that a request came on, or nil.
func guestOf(r *http.Request) *guest {
	g, _ := r.Context().Value(guestKey{}).(*guest)
	return g
}

// packetConn is a connection of QUIC, as far as the crowd needs to know it.
type packetConn struct {
	net.Conn // none of it is called
	cancel   context.CancelFunc
	quic     atomic.Pointer[quic.Conn] // once the handshake has ended
}

// Close implements net.Conn.
func (c *packetConn) Close() error {
	c.cancel()
	if conn := c.quic.Load(); conn != nil {
		return conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), "")
	}
	return nil
}

// packet lets a connection of QUIC into the crowd, or refuses it. ctx ends with the connection.
func (c *crowd) packet(ctx context.Context, info *quic.ClientInfo) (context.Context, error) {
	own, cancel := context.WithCancel(ctx)
	g := &guest{Conn: &packetConn{cancel: cancel}, crowd: c, from: admit.SourceOf(info.RemoteAddr)}
	ok, gone := c.take(g)
	if gone != nil {
		gone.Conn.Close()
	}
	if !ok {
		cancel()
		c.full()
		return nil, errCrowded
	}
	c.shaking.Add(1)
	g.shaken = sync.OnceFunc(func() { c.shaking.Add(-1) })
	context.AfterFunc(ctx, func() {
		cancel()
		g.shaken()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(g)
	})
	return context.WithValue(own, guestKey{}, g), nil
}

// known notes the connection of a guest whose handshake has ended.
func known(ctx context.Context, conn *quic.Conn) context.Context {
	g, ok := conn.Context().Value(guestKey{}).(*guest)
	if !ok {
		return ctx
	}
	g.shaken()
	g.Conn.(*packetConn).quic.Store(conn)
	return context.WithValue(ctx, guestKey{}, g)
}

// busy notes that a connection of QUIC has one more request, or one less. The caller holds c.mu; g may be nil.
func (c *crowd) busy(g *guest, more int) {
	if g == nil {
		return
	}
	g.requests += more
	src := c.sources[g.from]
	switch {
	case g.left || src == nil:
	case g.requests == 0:
		c.wait(g, src)
	default:
		c.work(g, src)
	}
}
