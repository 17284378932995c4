package server

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	gossh "golang.org/x/crypto/ssh"
)

// HostKey reads the host key at path, or makes an ed25519 key there on the
// first start. A key that is there and cannot be read is an error: replacing
// it would look like an attack to every client.
func HostKey(path string) (gossh.Signer, error) {
	return hostKey(path, func() (crypto.PrivateKey, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	})
}

func hostKey(path string, generate func() (crypto.PrivateKey, error)) (gossh.Signer, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		text, err = makeHostKey(path, generate)
	}
	if err != nil {
		return nil, fmt.Errorf("host key: %w", err)
	}
	signer, err := gossh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("host key %s: %w; restore it from a backup, or delete it and tell everyone that it changed", path, err)
	}
	return signer, nil
}

// OtherHostKeys are those that gitd has beside the one at path, for clients
// that do not know ed25519, such as older ones in Java. They stand beside it
// and are made as it is.
func OtherHostKeys(path string) ([]gossh.Signer, error) {
	var keys []gossh.Signer
	for _, kind := range []struct {
		name     string
		generate func() (crypto.PrivateKey, error)
	}{
		{"host_ecdsa", func() (crypto.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }},
		{"host_rsa", func() (crypto.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, rsaBits) }},
	} {
		key, err := hostKey(filepath.Join(filepath.Dir(path), kind.name), kind.generate)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// rsaBits is the size that ssh-keygen makes too.
const rsaBits = 3072

func makeHostKey(path string, generate func() (crypto.PrivateKey, error)) ([]byte, error) {
	key, err := generate()
	if err != nil {
		return nil, err
	}
	block, err := gossh.MarshalPrivateKey(key, "gitd host key")
	if err != nil {
		return nil, err
	}
	text := pem.EncodeToMemory(block)
	return text, renameio.WriteFile(path, text, 0o600)
}
