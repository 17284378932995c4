package server

import (
	"fmt"
	"strings"

	gossh "golang.org/x/crypto/ssh"
)

// Fingerprints are those of host keys, as ssh shows them to a person who connects for the first time:
// "SHA256:… (ED25519)".
func Fingerprints(keys ...gossh.Signer) []string {
	var all []string
	for _, k := range keys {
		kind := strings.TrimPrefix(k.PublicKey().Type(), "ssh-")
		if strings.HasPrefix(kind, "ecdsa") {
			kind = "ecdsa"
		}
		all = append(all, fmt.Sprintf("%s (%s)", gossh.FingerprintSHA256(k.PublicKey()), strings.ToUpper(kind)))
	}
	return all
}

// PublicKeys are the public keys of the SSH door, as known_hosts has them behind the name of a host.
func PublicKeys(keys ...gossh.Signer) []string {
	var all []string
	for _, k := range keys {
		all = append(all, strings.TrimSpace(string(gossh.MarshalAuthorizedKey(k.PublicKey()))))
	}
	return all
}
