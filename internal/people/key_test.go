package people_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/people"
)

func TestParseKey(t *testing.T) {
	const ed = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1sBhUyk3qKDyxSTnVSiKjbqhBlF1NIQv1lWn5pUbO"
	good := map[string]string{
		"plain":   ed,
		"comment": ed + " ada@laptop",
		"options": `no-port-forwarding,no-X11-forwarding ` + ed + " x",
		"newline": ed + " ada\n\n",
	}
	for name, text := range good {
		k, err := people.ParseKey("ada", text)
		if err != nil || k.Public != ed || !strings.HasPrefix(k.Fingerprint, "SHA256:") {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	bad := map[string]string{
		"":                                       "no public key",
		"hello":                                  "not a public key",
		ed + "\n" + ed:                           "more than one key",
		"-----BEGIN OPENSSH PRIVATE KEY-----\nx": "private key",
		rsaKey(t, 1024):                          "below 2048 bits",
	}
	for text, why := range bad {
		if _, err := people.ParseKey("ada", text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.30q: %v, want %q", text, err, why)
		}
	}
	for _, name := range []string{"", "-x", "a b", "../a", "a\n", strings.Repeat("a", 65)} {
		if _, err := people.ParseKey(name, ed); err == nil {
			t.Errorf("name %q is accepted", name)
		}
	}
	if _, err := people.ParseKey("ada", rsaKey(t, 2048)); err != nil {
		t.Errorf("RSA of 2048 bits: %v", err)
	}
}

// TestKeyOptions: a limit that stood before a key was dropped without a word.
func TestKeyOptions(t *testing.T) {
	const ed = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1sBhUyk3qKDyxSTnVSiKjbqhBlF1NIQv1lWn5pUbO"
	k, err := people.ParseKey("ada", `from="192.0.2.0/24, !192.0.2.7,2001:DB8::*",expiry-time="20990131" `+ed)
	if err != nil || k.From != "192.0.2.0/24,!192.0.2.7,2001:db8::*" || !k.Expires.Equal(time.Date(2099, 1, 31, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", k, err)
	}
	for addr, want := range map[string]bool{
		"192.0.2.1": true, "::ffff:192.0.2.1": true, "192.0.2.7": false, "192.0.3.1": false, "2001:db8::1": true, "2001:db9::1": false,
	} {
		if k.AllowsFrom(netip.MustParseAddr(addr)) != want {
			t.Errorf("from %s: %t", addr, !want)
		}
	}
	if k.AllowsFrom(netip.Addr{}) || !(people.Key{}).AllowsFrom(netip.Addr{}) {
		t.Error("an address that is not known")
	}
	for options, why := range map[string]string{
		`restrict`: `"restrict" before the key`, `command="git-shell"`: `"command" before the key`, `no-pty`: `"no-pty"`,
		`cert-authority`: "cert-authority", `environment="A=1"`: "environment", `permitopen="x:1"`: "permitopen", `hello`: "hello",
		`verify-required`: "verify-required", `from="example.org"`: "not looked up", `from=""`: "not looked up",
		`from="!192.0.2.1"`: "of no use", `expiry-time="20010101"`: "in the past", `expiry-time="tomorrow"`: "YYYYMMDD",
		`from="10.0.0.1",restrict`: "restrict", `from="` + strings.Repeat("10.0.0.1,", 200) + `10.0.0.1"`: "longer than",
	} {
		if _, err := people.ParseKey("ada", options+" "+ed); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.30s: %v, want %q", options, err, why)
		}
	}
}

func rsaKey(t *testing.T, bits int) string {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := ssh.NewPublicKey(&k.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(pub))
}
