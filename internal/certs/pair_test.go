package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// made is a self-signed certificate for names, until a time, in PEM.
func made(t testing.TB, until time.Time, names ...string) (chain, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test"}, DNSNames: names,
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until,
	}, &x509.Certificate{SerialNumber: serial}, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

var tomorrow = time.Now().Add(24 * time.Hour)

func TestFind(t *testing.T) {
	n := names{}
	for _, c := range []struct {
		until time.Time
		names []string
	}{
		{tomorrow, []string{"*.example.test", "example.test"}},
		{tomorrow.Add(time.Hour), []string{"*.example.test"}},
		{tomorrow, []string{"Shop.example.test"}},
		{time.Now().Add(-time.Minute), []string{"old.example.test", "gone.test"}},
	} {
		chain, key := made(t, c.until, c.names...)
		opened, err := Pair{string(chain), string(key)}.Open()
		if err != nil {
			t.Fatal(err)
		}
		n.add(opened)
	}
	for name, want := range map[string]string{
		"shop.example.test":   "Shop.example.test",
		"other.example.test":  "*.example.test alone", // it is good longer
		"example.test":        "*.example.test example.test",
		"old.example.test":    "*.example.test alone",
		"a.b.example.test":    "",
		"gone.test":           "old.example.test gone.test", // so that a client sees why
		"*.example.test.evil": "",
		"test":                "",
	} {
		got := ""
		if c := n.find(name, time.Now()); c != nil {
			got = strings.Join(c.Leaf.DNSNames, " ")
			if got == "*.example.test" {
				got += " alone"
			}
		}
		if got != want {
			t.Errorf("%s gets the certificate of %q, want %q", name, got, want)
		}
	}
}

func TestSplit(t *testing.T) {
	chain, key := made(t, tomorrow, "a.test")
	_, other := made(t, tomorrow, "a.test")
	nameless, itsKey := made(t, tomorrow)
	for text, want := range map[string]string{
		string(key) + "words\n" + string(chain):     "",
		string(chain):                               "no private key",
		string(key):                                 "no certificate",
		string(chain) + string(other):               "does not match",
		string(chain) + string(key) + string(other): "more than one private key",
		string(nameless) + string(itsKey):           "names no host",
		string(chain) + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----": "failed to parse private key",
		"": "no certificate",
	} {
		p, err := Split([]byte(text))
		if err == nil {
			_, err = p.Open()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "AAAA") {
			t.Errorf("the error has the key: %v", err)
		}
	}
}

func FuzzSplit(f *testing.F) {
	chain, key := made(f, tomorrow, "a.test")
	f.Add(append(chain, key...))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Split(text)
		if err != nil {
			return
		}
		if c, err := p.Open(); err == nil && len(c.Leaf.DNSNames) == 0 {
			t.Error("a certificate without names was taken")
		}
	})
}

// TestFolder: a pair that is written anew is taken; one that is half written changes nothing; one that is taken away is
// not used any more.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	chain, key := made(t, tomorrow, "a.test")
	write("a.crt", chain)
	write("a.key", key)
	both, bothKey := made(t, tomorrow, "*.b.test")
	write("name with blanks.pem", append(both, bothKey...))
	write("lonely.crt", chain)
	write("README", []byte("not one"))
	k, err := New(Config{Folder: dir, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	again := func() {
		t.Helper()
		stamps, err := k.folder.look()
		if err != nil {
			t.Fatal(err)
		}
		if stamps == k.folder.stamps {
			t.Fatal("the change was not seen")
		}
		k.folder.read(stamps)
	}
	if !k.Has("A.test.") || !k.Has("x.b.test") || k.Has("b.test") {
		t.Error("not all pairs were read")
	}
	before, _ := k.find("a.test")
	newer, newerKey := made(t, tomorrow.Add(time.Hour), "a.test")
	write("a.crt", newer[:len(newer)/2])
	again()
	if c, _ := k.find("a.test"); c != before {
		t.Error("a half written certificate took the good one away")
	}
	write("a.crt", newer)
	write("a.key", newerKey)
	again()
	if c, _ := k.find("a.test"); c == nil || c == before {
		t.Error("the new certificate is not used")
	}
	if err := os.Remove(filepath.Join(dir, "a.key")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a.crt")); err != nil {
		t.Fatal(err)
	}
	again()
	if k.Has("a.test") {
		t.Error("a certificate that was taken away is still used")
	}
	if _, err := New(Config{Folder: filepath.Join(dir, "none"), Log: zerolog.Nop()}); err == nil {
		t.Error("a folder that is not there was taken")
	}
}

// TestUnknownName: a client that asks for a name without a certificate is told so, and costs no signature.
func TestUnknownName(t *testing.T) {
	k, err := New(Config{Domain: "example.test", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := k.certificate(&tls.ClientHelloInfo{ServerName: "invented.example.test"})
	if c != nil || err != nil {
		t.Errorf("got %v, %v", c, err)
	}
}
