package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"os"

	"github.com/google/renameio/v2"
	gossh "golang.org/x/crypto/ssh"
)

// HostKey reads the host key at path, or makes an ed25519 key there on the
// first start. A key that is there and cannot be read is an error: replacing
// it would look like an attack to every client.
func HostKey(path string) (gossh.Signer, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		text, err = makeHostKey(path)
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

func makeHostKey(path string) ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
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
