package people_test

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/people"
)

func TestParseKey(t *testing.T) {
	const ed = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1sBhUyk3qKDyxSTnVSiKjbqhBlF1NIQv1lWn5pUbO"
	good := map[string]string{
		"plain":   ed,
		"comment": ed + " ada@laptop",
		"options": `no-pty,command="rm -rf /" ` + ed + " x",
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
