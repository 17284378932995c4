package cli

import (
	"crypto/rsa"
	"fmt"

	"golang.org/x/crypto/ssh"
)

// minRSA is the shortest RSA modulus accepted, in bits.
const minRSA = 2048

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
