package proxy

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// secureFront is a front door with TLS, which every host of it is served with.
type secureFront struct {
	*front
	tls   string // the address of the TLS listener
	how   *tls.Config
	roots *x509.CertPool
}

func newSecureFront(t testing.TB, cfg Config) *secureFront {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Secure.Port = port
	if cfg.Secure.Has == nil {
		cfg.Secure.Has = func(string) bool { return true }
	}
	f := &secureFront{front: newFront(t, cfg), tls: l.Addr().String(), roots: x509.NewCertPool()}
	cert := selfSigned(t, "localhost", "*.localhost")
	f.roots.AddCert(cert.Leaf)
	f.how = &tls.Config{Certificates: []tls.Certificate{cert}}
	ctx, cancel := context.WithCancel(context.Background())
	packets, err := net.ListenPacket("udp", f.tls)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 2)
	go func() { served <- f.ServeTLS(ctx, l, f.how) }()
	go func() { served <- f.ServeQUIC(ctx, packets, f.how) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
		packets.Close()
	})
	return f
}

func selfSigned(t testing.TB, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// client speaks HTTP/1.1, HTTP/2 or HTTP/3 with the TLS listener, whatever host a URL names.
func (f *secureFront) client(t testing.TB, protocol string) *http.Client {
	t.Helper()
	if protocol == "HTTP/3.0" {
		tr := &http3.Transport{
			TLSClientConfig: &tls.Config{RootCAs: f.roots},
			Dial: func(ctx context.Context, _ string, how *tls.Config, cfg *quic.Config) (*quic.Conn, error) {
				return quic.DialAddr(ctx, f.tls, how, cfg)
			},
		}
		t.Cleanup(func() { tr.Close() })
		return &http.Client{Transport: tr, Timeout: time.Minute}
	}
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: f.roots},
		Protocols:       new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", f.tls)
		},
	}
	tr.Protocols.SetHTTP1(protocol == "HTTP/1.1")
	tr.Protocols.SetHTTP2(protocol == "HTTP/2.0")
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: time.Minute}
}

// protocols are those that clients speak in TLS.
var protocols = []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"}

func (f *secureFront) post(t testing.TB, path string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://shop.localhost"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTLS(t *testing.T) {
	f := newSecureFront(t, Config{})
	f.app(t, "shop", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s %s", r.Host, r.Header.Get("X-Forwarded-Proto"), r.RequestURI, body)
	})
	for _, protocol := range protocols {
		t.Run(protocol, func(t *testing.T) {
			res, body := do(t, f.client(t, protocol), f.post(t, "/a%2Fb?x", strings.NewReader("hello")))
			if res.Proto != protocol || body != "shop.localhost https /a%2Fb?x hello" {
				t.Errorf("%s: %q", res.Proto, body)
			}
		})
	}
}

// TestToHTTPS: what comes in plain is sent to HTTPS, with its method and target, but only a host of ours that has a
// certificate: a client cannot choose where it leads.
func TestToHTTPS(t *testing.T) {
	f := newSecureFront(t, Config{Secure: Secure{Has: func(host string) bool { return host != "bare.localhost" }}})
	f.app(t, "shop", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain") })
	f.app(t, "bare", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "plain") })
	f.Names("shop", []string{"www.example.org"})
	_, port, _ := net.SplitHostPort(f.tls)
	for host, want := range map[string]string{
		"shop.localhost":      "https://shop.localhost:" + port,
		"SHOP.localhost:8080": "https://SHOP.localhost:" + port,
		"www.example.org":     "https://www.example.org:" + port,
		"localhost":           "https://localhost:" + port,
		"bare.localhost":      "",
		"nope.localhost":      "",
		"evil.example":        "",
	} {
		res, body := do(t, client(t), f.request(t, http.MethodPost, host, "//a%2Fb?c", nil))
		if want == "" {
			if res.Header.Get("Location") != "" || res.StatusCode == http.StatusPermanentRedirect {
				t.Errorf("%s is sent to %s", host, res.Header.Get("Location"))
			}
			continue
		}
		if got := res.Header.Get("Location"); res.StatusCode != http.StatusPermanentRedirect || got != want+"//a%2Fb?c" || body == "plain" {
			t.Errorf("%s: %d to %q: %s", host, res.StatusCode, got, body)
		}
	}
}
