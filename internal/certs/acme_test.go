package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/certs/pebbletest"
	"github.com/nodeos-dev/gitd/internal/core"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pebbletest.Clean()
	os.Exit(code)
}

// noneSet is a Store in which nobody has set anything.
type noneSet struct{ Store }

// OwnCertificates implements Store.
func (noneSet) OwnCertificates(context.Context) ([]core.OwnCertificate, error) { return nil, nil }

// town is what a front door has around it: the names that are served, and its two listeners. A Keeper can be opened in
// it again and again.
type town struct {
	http, tls net.Listener
	folder    string
	notes     chan string

	mu      sync.Mutex
	keeper  *Keeper
	names   []Name
	changed chan struct{}
}

func newTown(t *testing.T, names ...Name) *town {
	t.Helper()
	c := &town{folder: filepath.Join(t.TempDir(), "certificates"), notes: make(chan string, 100), names: names, changed: make(chan struct{})}
	var err error
	if c.http, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if c.tls, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	plain := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.now().Challenges(http.NotFoundHandler()).ServeHTTP(w, r)
	})}
	secure := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }),
		TLSConfig: &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.now().TLS(), nil },
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}, // not called
	}
	var served sync.WaitGroup
	served.Go(func() { plain.Serve(c.http) })            //nolint:errcheck // it ends with the test
	served.Go(func() { secure.ServeTLS(c.tls, "", "") }) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { plain.Close(); secure.Close(); served.Wait() })
	return c
}

func (c *town) now() *Keeper {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keeper
}

// pebble starts an ACME server that looks at the town.
func (c *town) pebble(t *testing.T, cfg pebbletest.Config) *pebbletest.Pebble {
	cfg.HTTP, cfg.TLS = c.http.Addr().String(), c.tls.Addr().String()
	return pebbletest.Start(t, cfg)
}

// open runs a Keeper until the test ends, or until end is called.
func (c *town) open(t *testing.T, p *pebbletest.Pebble, with func(*ACME)) (end func()) {
	t.Helper()
	text, err := os.ReadFile(p.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	a := &ACME{Directory: p.Directory, Roots: roots, Folder: c.folder, PerHour: 100, HTTP: c.http.Addr(), TLS: c.tls.Addr()}
	if with != nil {
		with(a)
	}
	k, err := New(Config{
		Domain: "example.test", ACME: a, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
		Names: func(context.Context) ([]Name, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.names, nil
		},
		Changed: func() <-chan struct{} {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.changed
		},
		Store: noneSet{},
		Note:  func(app, _, action, detail string) { c.notes <- app + " " + action + " " + detail },
	})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	c.keeper = k
	c.mu.Unlock()
	if err := k.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.Run(ctx) //nolint:errcheck // it has none
	}()
	end = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(end)
	return end
}

// serve changes the names that are served.
func (c *town) serve(names ...Name) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names = names
	close(c.changed)
	c.changed = make(chan struct{})
}

// note waits for a note.
func (c *town) note(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-c.notes:
		if !strings.HasPrefix(got, want) {
			t.Fatalf("noted %q, want %q", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatalf("nobody notes %q", want)
	}
}

// shake makes a handshake and returns the certificate that a client sees.
func (c *town) shake(name string, roots *x509.CertPool) (*x509.Certificate, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 20 * time.Second}, Config: &tls.Config{ServerName: name, RootCAs: roots}}
	conn, err := d.DialContext(context.Background(), "tcp", c.tls.Addr().String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// TestACME goes the ways of a certificate, with a real ACME server: asked for at once, at a handshake, never for a name
// that nobody serves, not again and again for a name that leads elsewhere, kept when gitd begins again, and served
// while the ACME server is away.
func TestACME(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Pebble")
	}
	c := newTown(t, Name{"www.shop.example", "shop", true}, Name{"hello.example.test", "hello", false})
	p := c.pebble(t, pebbletest.Config{})
	roots := p.Root(t)
	end := c.open(t, p, nil)
	c.note(t, "shop certificate.new www.shop.example")
	first, err := c.shake("www.shop.example", roots)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.shake("hello.example.test", roots); err != nil {
		t.Fatalf("the first handshake of a name: %v", err)
	}
	c.note(t, "hello certificate.new hello.example.test")
	if s := c.now().State("hello.example.test"); s.From != core.CertificateACME || s.Until.IsZero() || s.Reason != "" {
		t.Errorf("the state is %+v", s)
	}

	t.Run("invented", func(t *testing.T) { c.invented(t, p, roots) })
	t.Run("elsewhere", func(t *testing.T) { c.elsewhere(t, p, roots) })

	orders := p.Orders()
	end()
	end = c.open(t, p, nil)
	again, err := c.shake("www.shop.example", roots)
	if err != nil || again.SerialNumber.Cmp(first.SerialNumber) != 0 || p.Orders() != orders {
		t.Errorf("after a new start: %v, %d orders of before %d", err, p.Orders(), orders)
	}
	err = filepath.WalkDir(c.folder, func(path string, e fs.DirEntry, err error) error {
		if info, wrong := e.Info(); err == nil && wrong == nil && info.Mode().Perm()&0o077 != 0 && filepath.Base(filepath.Dir(path)) != "locks" {
			t.Errorf("others may read %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	c.serve(Name{"www.shop.example", "shop", true})
	end()

	p.Stop()
	c.open(t, p, nil)
	if _, err := c.shake("www.shop.example", roots); err != nil {
		t.Errorf("without the ACME server: %v", err)
	}
	c.serve(Name{"www.shop.example", "shop", true}, Name{"new.shop.example", "shop", true})
	c.note(t, "shop certificate.fail new.shop.example: ")
	if s := c.now().State("new.shop.example"); !strings.HasPrefix(s.Reason, "the ACME server cannot be reached: ") || !s.Until.IsZero() || s.Next.IsZero() {
		t.Errorf("the state of what has failed is %+v", s)
	}
	if _, err := c.shake("www.shop.example", roots); err != nil {
		t.Errorf("after a failure of another name: %v", err)
	}
}

// invented: names that strangers make up, one of them below the domain, cause no order and leave nothing in memory.
func (c *town) invented(t *testing.T, p *pebbletest.Pebble, roots *x509.CertPool) {
	before := p.Orders()
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if _, err := c.shake(fmt.Sprintf("x%d.example.test", i), roots); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
				t.Errorf("an invented name: %v", err)
			}
		})
	}
	all.Wait()
	k := c.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.Orders() != before || len(k.jobs) != 2 {
		t.Errorf("%d orders of before %d, and %d names in memory", p.Orders(), before, len(k.jobs))
	}
}

// elsewhere: the name of a customer leads to another server. It fails once, with the reason, and handshakes for it do
// not ask again.
func (c *town) elsewhere(t *testing.T, p *pebbletest.Pebble, roots *x509.CertPool) {
	p.Lead(t, "away.example", "127.0.0.9")
	c.serve(Name{"www.shop.example", "shop", true}, Name{"hello.example.test", "hello", false}, Name{"away.example", "hello", true})
	c.note(t, "hello certificate.fail away.example: ")
	before := p.Orders()
	s := c.now().State("away.example")
	if !strings.Contains(s.Reason, "127.0.0.9") || s.Next.Before(time.Now()) {
		t.Errorf("the state is %+v", s)
	}
	for range 5 {
		if _, err := c.shake("away.example", roots); err == nil {
			t.Error("it has a certificate")
		}
	}
	if p.Orders() != before {
		t.Errorf("handshakes of a name that has failed caused %d orders", p.Orders()-before)
	}
}

// TestRenewal: a certificate is renewed before it ends, while it serves.
func TestRenewal(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Pebble")
	}
	c := newTown(t, Name{"www.shop.example", "shop", true})
	p := c.pebble(t, pebbletest.Config{Validity: 9 * time.Second})
	roots := p.Root(t)
	c.open(t, p, func(a *ACME) { a.look = 200 * time.Millisecond })
	c.note(t, "shop certificate.new www.shop.example")
	first, err := c.shake("www.shop.example", roots)
	if err != nil {
		t.Fatal(err)
	}
	c.note(t, "shop certificate.new www.shop.example (renewed)")
	if time.Now().After(first.NotAfter) {
		t.Error("it was renewed when it had ended")
	}
	// The note comes when the certificate is kept, and a moment later it serves.
	for {
		next, err := c.shake("www.shop.example", roots)
		if err != nil {
			t.Fatal(err)
		}
		if next.SerialNumber.Cmp(first.SerialNumber) != 0 {
			return
		}
		if time.Now().After(first.NotAfter) {
			t.Fatal("the old certificate is still served")
		}
	}
}
