package drain

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rsyslogd finds Debian's syslog server.
func rsyslogd(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"rsyslogd", "/usr/sbin/rsyslogd"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("rsyslogd is not installed: make test-receivers runs this")
	return ""
}

// TestRsyslog: Debian's own server takes what drains send, over TCP and over TLS, and has each line as it was said.
func TestRsyslog(t *testing.T) {
	program := rsyslogd(t)
	for _, kind := range []kind{syslogTCP, syslogTLS} {
		t.Run(string(kind), func(t *testing.T) {
			dir := t.TempDir()
			pool := x509.NewCertPool()
			pool.AppendCertsFromPEM(selfSigned(t, dir))
			addr, written := runRsyslog(t, program, dir, kind)
			r := newRig(t, "127.0.0.1")
			r.end(0)
			r.cfg.Roots = pool
			r.begin()
			r.add("shop", string(kind)+"://"+addr)
			r.says("shop", 1, 2500, 0)
			lines := written(2500)
			for i := 1; i <= 2500; i++ {
				want := fmt.Sprintf(`shop worker.1 stdout [gitd@32473 release="v3"] 2030-03-17T17:46:40.%06dZ local0 line %d`, i/1000, i)
				if got := lines[i-1]; got != want {
					t.Fatalf("%q, want %q", got, want)
				}
			}
		})
	}
}

// runRsyslog begins a server. written waits until it has written so many lines, and returns them.
func runRsyslog(t *testing.T, program, dir string, kind kind) (addr string, written func(n int) []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	secure := ""
	if kind == syslogTLS {
		secure = `StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.Authmode="anon"`
	}
	conf := strings.NewReplacer("DIR", dir, "PORT", port, "SECURE", secure).Replace(`
global(workDirectory="DIR" defaultNetstreamDriverCAFile="DIR/cert.pem" defaultNetstreamDriverCertFile="DIR/cert.pem"
  defaultNetstreamDriverKeyFile="DIR/key.pem")
module(load="imtcp" SECURE)
template(name="all" type="string"
  string="%app-name% %procid% %msgid% %structured-data% %timestamp:::date-rfc3339% %syslogfacility-text%%msg:::sp-if-no-1st-sp%%msg%\n")
input(type="imtcp" port="PORT" address="127.0.0.1")
*.* action(type="omfile" file="DIR/log" template="all")
`)
	path := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-n", "-f", path, "-i", filepath.Join(dir, "pid"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // as above
	})
	return addr, func(n int) (lines []string) {
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			text, _ := os.ReadFile(filepath.Join(dir, "log")) // it is made with the first line
			if lines = strings.Split(string(text), "\n"); len(lines) > n {
				return lines
			}
		}
		t.Fatalf("rsyslogd has written %d lines of %d", len(lines)-1, n)
		return nil
	}
}

// selfSigned writes a certificate for 127.0.0.1 and its key into dir, and returns the certificate.
func selfSigned(t *testing.T, dir string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert
}
