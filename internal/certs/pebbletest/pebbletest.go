// Package pebbletest runs Let's Encrypt's Pebble, a real ACME server for tests, with its DNS server.
//
// It owns their processes. It does not own the front door that they look at: a test gives the ports.
package pebbletest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Config says what Pebble does.
type Config struct {
	HTTP, TLS string        // the ports at which it looks for challenges
	Validity  time.Duration // of the certificates; 0: ninety days
	DNS       string        // a name server to use; empty: one of its own, for which every name is 127.0.0.1
	Listen    string        // its own address; empty: a free one
}

// Pebble is one that runs.
type Pebble struct {
	Directory string // URL
	CA        string // file with the root of its own certificate
	Listen    string

	cmd    *exec.Cmd
	admin  string // address of its management
	names  string // of its DNS server
	client *http.Client

	mu  sync.Mutex
	log bytes.Buffer
}

// limit bounds every wait.
const limit = time.Minute

// Start runs Pebble until the test ends, or Stop.
func Start(t testing.TB, cfg Config) *Pebble {
	t.Helper()
	dir := t.TempDir()
	build(t, dir)
	p := &Pebble{CA: filepath.Join(dir, "ca.pem"), Listen: cfg.Listen, admin: free(t), names: free(t)}
	if p.Listen == "" {
		p.Listen = free(t)
	}
	p.Directory = "https://" + p.Listen + "/dir"
	p.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: identity(t, dir, p.CA)}}}
	t.Cleanup(p.client.CloseIdleConnections)
	if cfg.DNS == "" {
		cfg.DNS = free(t)
		p.run(t, "pebble-challtestsrv", dir, "dns server", "-dnsserver", cfg.DNS, "-management", p.names,
			"-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "")
	}
	write(t, filepath.Join(dir, "pebble.json"), p.settings(t, dir, cfg))
	p.cmd = p.run(t, "pebble", dir, "ACME directory available", "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", cfg.DNS)
	for _, address := range []string{p.Listen, p.admin} {
		listens(t, address)
	}
	return p
}

// settings is the file that Pebble reads. dir is its folder, as it sees it.
func (p *Pebble) settings(t testing.TB, dir string, cfg Config) []byte {
	t.Helper()
	of := map[string]any{
		"listenAddress": p.Listen, "managementListenAddress": p.admin,
		"certificate": filepath.Join(dir, "ca.pem"), "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": port(t, cfg.HTTP), "tlsPort": port(t, cfg.TLS), "keyAlgorithm": "ecdsa",
	}
	if cfg.Validity != 0 {
		of["profiles"] = map[string]any{"default": map[string]any{
			"description": "test", "validityPeriod": int(cfg.Validity.Seconds()),
		}}
	}
	text, err := json.Marshal(map[string]any{"pebble": of})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Lay puts Pebble into dir for a test that runs it somewhere else, where this folder is called at. There it listens at
// 127.0.0.1:14000, and its management at 127.0.0.1:15000. Its certificate is ca.pem, its settings pebble.json.
func Lay(t testing.TB, dir, at string, cfg Config) {
	t.Helper()
	build(t, dir)
	identity(t, dir, filepath.Join(dir, "ca.pem"))
	p := &Pebble{Listen: "127.0.0.1:14000", admin: "127.0.0.1:15000"}
	write(t, filepath.Join(dir, "pebble.json"), p.settings(t, at, cfg))
}

// listens waits until somebody listens: Pebble says that it does a moment before.
func listens(t testing.TB, address string) {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond) // there is no event to wait for in another's program
	}
}

// Stop kills the ACME server, as if it was away. Its DNS server stays.
func (p *Pebble) Stop() {
	p.cmd.Process.Kill() //nolint:errcheck // it may have ended
	p.cmd.Wait()         //nolint:errcheck // it was killed
}

// Orders is how many certificates were asked for.
func (p *Pebble) Orders() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Count(p.log.String(), "Added order ")
}

// Root is what its certificates are checked with.
func (p *Pebble) Root(t testing.TB) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(p.RootPEM(t)) {
		t.Fatal("Pebble has no root")
	}
	return pool
}

// RootPEM is the same as a text.
func (p *Pebble) RootPEM(t testing.TB) []byte {
	t.Helper()
	res, err := p.client.Get("https://" + p.admin + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Lead makes a name lead to another address.
func (p *Pebble) Lead(t testing.TB, host, address string) {
	t.Helper()
	body := fmt.Sprintf(`{"host":%q,"addresses":[%q]}`, host+".", address)
	res, err := http.Post("http://"+p.names+"/add-a", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("the DNS server of Pebble: %s", res.Status)
	}
}

// Log is what Pebble has said.
func (p *Pebble) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// run starts a program and waits until it says that it is ready.
func (p *Pebble) run(t testing.TB, program, dir, ready string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(filepath.Join(dir, program), args...)
	cmd.Env = []string{"PEBBLE_VA_NOSLEEP=1"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	says, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for lines, said := bufio.NewScanner(out), false; lines.Scan(); {
			p.mu.Lock()
			fmt.Fprintln(&p.log, lines.Text())
			p.mu.Unlock()
			if !said && strings.Contains(strings.ToLower(lines.Text()), strings.ToLower(ready)) {
				said = true
				close(says)
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-ended
		cmd.Wait() //nolint:errcheck // it was killed
	})
	select {
	case <-says:
	case <-ended:
		t.Fatalf("%s has ended:\n%s", program, p.Log())
	case <-time.After(limit):
		t.Fatalf("%s is not ready:\n%s", program, p.Log())
	}
	return cmd
}

var (
	once  sync.Once
	built string
	wrong error
)

// build compiles both programs once for a test program, and links them into dir.
func build(t testing.TB, dir string) {
	t.Helper()
	once.Do(func() {
		mod, err := exec.Command("go", "env", "GOMOD").Output()
		if err != nil {
			wrong = err
			return
		}
		if built, wrong = os.MkdirTemp("", "pebble"); wrong != nil {
			return
		}
		cmd := exec.Command("go", "build", "-o", built+"/", "github.com/letsencrypt/pebble/v2/cmd/pebble", "github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv")
		cmd.Dir = filepath.Join(filepath.Dir(string(bytes.TrimSpace(mod))), "tools", "pebble")
		cmd.Env = append(os.Environ(), "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			wrong = fmt.Errorf("%w\n%s", err, out)
		}
	})
	if wrong != nil {
		t.Fatalf("Pebble cannot be built: %v", wrong)
	}
	for _, name := range []string{"pebble", "pebble-challtestsrv"} {
		if err := os.Link(filepath.Join(built, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// Clean removes the programs. TestMain calls it at the end.
func Clean() {
	if built != "" {
		os.RemoveAll(built)
	}
}

// identity makes Pebble's own certificate.
func identity(t testing.TB, dir, ca string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		// curl wants a name of the one who signed it.
		Subject:      pkix.Name{CommonName: "Pebble"},
		SerialNumber: big.NewInt(time.Now().UnixNano()), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	write(t, ca, text)
	write(t, filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// free is an address on which nobody listens now.
func free(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func port(t testing.TB, address string) int {
	t.Helper()
	n, err := net.LookupPort("tcp", address[strings.LastIndex(address, ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
