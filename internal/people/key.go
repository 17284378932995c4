package people

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// minRSA is the shortest RSA modulus accepted, in bits.
const minRSA = 2048

// ParseKey reads one public key in authorized_keys form for name. Its comment is dropped; its options hold, or it is
// refused.
func ParseKey(name, text string) (Key, error) {
	if err := CheckUserName(name); err != nil {
		return Key{}, err
	}
	if strings.TrimSpace(text) == "" {
		return Key{}, errors.New("no public key on standard input; add `< ~/.ssh/id_ed25519.pub`")
	}
	if strings.Contains(text, "PRIVATE KEY") {
		return Key{}, errors.New("this is a private key; keep it to yourself and send the file that ends in .pub")
	}
	key, _, options, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return Key{}, fmt.Errorf("not a public key in OpenSSH form: %w", err)
	}
	if len(strings.TrimSpace(string(rest))) > 0 {
		return Key{}, errors.New("more than one key; add them one at a time")
	}
	k, err := NewKey(name, key)
	if err != nil {
		return Key{}, err
	}
	return k, k.options(options, time.Now())
}

// NewKey is a key for name, if keys of its kind may log in.
func NewKey(name string, key ssh.PublicKey) (Key, error) {
	if err := AcceptableKey(key); err != nil {
		return Key{}, err
	}
	return Key{
		Name: name, Fingerprint: ssh.FingerprintSHA256(key), Added: time.Now(),
		Public: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))),
	}, nil
}

// KeyKindError says why no key of a kind may log in.
type KeyKindError struct{ reason string }

func (e *KeyKindError) Error() string { return e.reason }

// AcceptableKey says why a key of this kind may not log in, or nil. Accepted
// are ed25519, ecdsa, their sk- forms (FIDO) and RSA from 2048 bits.
func AcceptableKey(key ssh.PublicKey) error {
	switch key.Type() {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoSKED25519, ssh.KeyAlgoSKECDSA256:
		return nil
	case ssh.KeyAlgoRSA:
		c, ok := key.(ssh.CryptoPublicKey)
		if !ok {
			return &KeyKindError{"unreadable RSA key"}
		}
		if k, ok := c.CryptoPublicKey().(*rsa.PublicKey); !ok || k.N.BitLen() < minRSA {
			return &KeyKindError{fmt.Sprintf("an RSA key below %d bits is not safe any more; make one with `ssh-keygen -t ed25519`", minRSA)}
		}
		return nil
	default:
		return &KeyKindError{fmt.Sprintf("keys of the kind %s are not accepted; make one with `ssh-keygen -t ed25519`", key.Type())}
	}
}
