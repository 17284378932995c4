package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/nodeos-dev/gitd/internal/certs/pebbletest"
)

// secureRig is a gitd with HTTPS, whose certificates come from a real ACME server.
type secureRig struct {
	*rig
	https  string
	pebble *pebbletest.Pebble
	roots  *x509.CertPool
}

func newSecureRig(t *testing.T, args ...string) *secureRig {
	t.Helper()
	s := &secureRig{https: freeAddress(t)}
	plain := freeAddress(t)
	s.pebble = pebbletest.Start(t, pebbletest.Config{HTTP: plain, TLS: s.https})
	t.Cleanup(pebbletest.Clean)
	s.roots = s.pebble.Root(t)
	s.rig = newRig(t, filepath.Join(bin, "gitd"), "", append([]string{
		"--https", s.https, "--http3", "--domain", "example.test", "--acme-directory", s.pebble.Directory,
	}, args...)...)
	ca, err := os.ReadFile(s.pebble.CA)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.state, "acme.pem") // where gitd's user may read it
	if err := os.WriteFile(file, ca, 0o644); err != nil {
		t.Fatal(err)
	}
	s.args = append(s.args, "--acme-ca-root", file)
	s.http = plain
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	n, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", n)
}

// speaking is a client of one protocol, for whom every name leads to this gitd.
func (s *secureRig) speaking(protocol string) *http.Client {
	how := &tls.Config{RootCAs: s.roots}
	if protocol == "HTTP/3.0" {
		tr := &http3.Transport{TLSClientConfig: how, Dial: func(ctx context.Context, _ string, how *tls.Config, cfg *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, s.https, how, cfg)
		}}
		s.t.Cleanup(func() { tr.Close() })
		return &http.Client{Transport: tr, Timeout: eventLimit}
	}
	tr := &http.Transport{TLSClientConfig: how, Protocols: new(http.Protocols), DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
		to := s.https
		if strings.HasSuffix(addr, ":80") {
			to = s.http
		}
		return new(net.Dialer).DialContext(ctx, "tcp", to)
	}}
	tr.Protocols.SetHTTP1(protocol == "HTTP/1.1")
	tr.Protocols.SetHTTP2(protocol == "HTTP/2.0")
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: eventLimit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// fetch gets a page, which must have a status.
func (s *secureRig) fetch(protocol, url string, status int) *http.Response {
	s.t.Helper()
	res, err := s.speaking(protocol).Get(url)
	if err != nil {
		s.t.Fatalf("%s by %s: %v\n%s", url, protocol, err, s.tail(20))
	}
	res.Body.Close()
	if res.StatusCode != status {
		s.t.Fatalf("%s by %s: %s", url, protocol, res.Status)
	}
	return res
}

// said waits until a command prints something.
func (s *secureRig) said(want string, args ...string) {
	s.t.Helper()
	err := s.eventually(func() error {
		out, err := s.try(args...)
		if err == nil && !strings.Contains(out, want) {
			err = fmt.Errorf("%s says %q, want %q", args, out, want)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// TestHTTPS is the front door on the internet, with a real ACME server and a real machine: https://hello.example.test
// is real from end to end. The certificates outlive gitd, and an ACME server that is away takes nothing down.
func TestHTTPS(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	t.Parallel()
	s := newSecureRig(t, "--hsts", "1h")
	s.serve()
	s.admit()
	s.repo("hello", filepath.Join("..", "..", "templates", "apps", "hello"))
	port := portOfAddress(s.https)
	p := s.push("hello", "main")
	<-p.done
	if p.err != nil || !strings.Contains(p.out.String(), "https://hello.example.test:"+port+"/") {
		t.Fatalf("%v\n%s", p.err, p.out)
	}
	s.said("hello.example.test  ok until ", "domains", "hello")
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/3.0"} {
		res := s.fetch(protocol, "https://hello.example.test/", http.StatusOK)
		if res.Proto != protocol || res.Header.Get("Strict-Transport-Security") != "max-age=3600" || !strings.Contains(res.Header.Get("Alt-Svc"), port) {
			t.Errorf("%s: %v", res.Proto, res.Header)
		}
	}
	res := s.fetch("HTTP/1.1", "http://hello.example.test/a?b", http.StatusPermanentRedirect)
	if got, want := res.Header.Get("Location"), "https://hello.example.test:"+port+"/a?b"; got != want {
		t.Errorf("plain requests go to %s, want %s", got, want)
	}

	s.gitd("domains:add", "hello", "www.hello.example")
	s.said("www.hello.example   ok until ", "domains", "hello")
	s.fetch("HTTP/2.0", "https://www.hello.example/", http.StatusOK)

	orders := s.pebble.Orders()
	s.kill()
	s.serve()
	s.fetch("HTTP/2.0", "https://hello.example.test/", http.StatusOK)
	if now := s.pebble.Orders(); now != orders {
		t.Errorf("%d orders after a new start, %d before", now, orders)
	}
	s.withoutACME(t)
	s.ownCertificate(t)
	if log := s.gitd("events", "hello", "-n", "100"); !strings.Contains(log, "certificate.new") || !strings.Contains(log, "certificate.fail") || !strings.Contains(log, "certificate.set") {
		t.Errorf("the audit:\n%s", log)
	}
	s.halt()
}

// withoutACME: the ACME server is away. What has a certificate is served with it, what has none in plain, and who asks
// is told why.
func (s *secureRig) withoutACME(t *testing.T) {
	s.pebble.Stop()
	s.gitd("domains:add", "hello", "late.hello.example")
	s.said("connection refused", "domains", "hello")
	s.fetch("HTTP/1.1", "http://late.hello.example/", http.StatusOK)
	s.fetch("HTTP/2.0", "https://www.hello.example/", http.StatusOK)
	if _, err := s.speaking("HTTP/2.0").Get("https://late.hello.example/"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("a host without a certificate: %v", err)
	}
}

// ownCertificate: an administrator of the app brings a certificate. The key is shown nowhere, and in no file as it is.
func (s *secureRig) ownCertificate(t *testing.T) {
	chain, key := filepath.Join(s.work, "late.crt"), filepath.Join(s.work, "late.key")
	s.must(exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
		"-subj", "/CN=late", "-addext", "subjectAltName=DNS:late.hello.example", "-keyout", key, "-out", chain))
	var both []byte
	for _, file := range []string{chain, key} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, text...)
	}
	s.roots.AppendCertsFromPEM(both)
	set := exec.Command("ssh", append(strings.Fields(sshOptions(s.work)), "-i", s.work+"/id", "-p", portOfAddress(s.ssh), "nodeos@127.0.0.1",
		"certs:set", "hello", "late.hello.example")...)
	set.Stdin, set.Env = bytes.NewReader(both), s.env
	if out := s.must(set); !strings.Contains(out, "served with your certificate") {
		t.Error(out)
	}
	s.fetch("HTTP/2.0", "https://late.hello.example/", http.StatusOK)
	s.fetch("HTTP/1.1", "http://late.hello.example/", http.StatusPermanentRedirect)
	secret := strings.Split(string(both[bytes.Index(both, []byte("PRIVATE KEY")):]), "\n")[1]
	out, err := exec.Command("grep", "-rl", secret, s.state).Output()
	if len(out) > 0 || err == nil || strings.Contains(s.tail(100000), secret) {
		t.Errorf("the private key can be read: %s", out)
	}
	s.gitd("certs:remove", "hello", "late.hello.example")
	s.fetch("HTTP/1.1", "http://late.hello.example/", http.StatusOK)
}

func portOfAddress(address string) string {
	_, p, _ := net.SplitHostPort(address)
	return p
}
