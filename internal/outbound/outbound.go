// Package outbound is the connections that gitd makes to where its users say: receivers of log lines and of webhooks.
//
// It owns which addresses may be reached, that no redirect is followed, how certificates are checked, and how many
// receivers there may be and how they are named. It does not own what is sent. Without it, whoever may add a receiver
// could have gitd, which stands in the operator's network, ask the host's own services, the cloud's metadata or the
// neighbours.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/inward"
)

// Reach is what one receiver's connections may reach.
type Reach struct {
	// Rules open what is not out on the internet, as those of an app's machines do. They are asked at each dial.
	Rules func(ctx context.Context) ([]core.EgressRule, error)
	// Roots are the authorities beside the system's; nil: those alone.
	Roots *x509.CertPool
	// Hint is what to do about an address that is closed; the argument is the rule that would open it.
	Hint func(rule string) string
}

// dialLimit bounds the wait for a receiver.
const dialLimit = 10 * time.Second

// Dial connects to host:port. The address is judged when it is dialled, so a name that resolves to something else the
// second time changes nothing.
func (r Reach) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return r.dial(ctx, network, addr, r.check)
}

// DialClear connects for something that must not cross the internet without encryption: to addresses that a rule opens.
func (r Reach) DialClear(ctx context.Context, network, addr string) (net.Conn, error) {
	return r.dial(ctx, network, addr, func(ctx context.Context, dst netip.AddrPort) error {
		if _, inside := inward.Find(dst.Addr()); !inside {
			return fmt.Errorf("%s is out on the internet, and what is sent there must be encrypted: use TLS", dst.Addr())
		}
		return r.check(ctx, dst)
	})
}

// DialTLS connects to host:port and checks that the certificate is of that host.
func (r Reach) DialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := r.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c := tls.Client(conn, r.tls(host))
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

func (r Reach) tls(host string) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: r.Roots, MinVersion: tls.VersionTLS12}
}

func (r Reach) dial(ctx context.Context, network, addr string, check func(context.Context, netip.AddrPort) error) (net.Conn, error) {
	d := net.Dialer{Timeout: dialLimit, ControlContext: func(ctx context.Context, _, address string, _ syscall.RawConn) error {
		dst, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return check(ctx, dst)
	}}
	return d.DialContext(ctx, network, addr)
}

func (r Reach) check(ctx context.Context, dst netip.AddrPort) error {
	rules, err := r.Rules(ctx)
	if err != nil {
		return err
	}
	place, closed, err := inward.Closed(dst.Addr(), func(place inward.Place) bool {
		return slices.ContainsFunc(rules, func(x core.EgressRule) bool {
			return x.Range.Bits() >= place.Range.Bits() && x.Allows(dst)
		})
	})
	switch {
	case err != nil || !closed:
		return err
	case place.Never():
		return fmt.Errorf("%s is %s", dst.Addr().Unmap(), place.What)
	}
	dst = netip.AddrPortFrom(dst.Addr().Unmap().WithZone(""), dst.Port())
	return fmt.Errorf("%s is %s, which is closed: %s", dst.Addr(), place.What, r.Hint(dst.String()))
}

// requestLimit is for a receiver to take a request and answer it.
const requestLimit = 30 * time.Second

// Client asks receivers by HTTP. It follows no redirect: where one leads, nobody has said. Nor does it use a proxy of
// gitd's environment, which would dial in its place.
func (r Reach) Client() *http.Client {
	return &http.Client{
		Timeout:       requestLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: r.DialClear, DialTLSContext: r.DialTLS,
			MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
		},
	}
}

// Cause is err without the URL that net/http puts before it, which may hold a secret.
func Cause(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Roots are the system's authorities and those of a file, which has them as PEM.
func Roots(pem []byte) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in it that can be read")
	}
	return pool, nil
}
