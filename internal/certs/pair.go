package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Pair is a certificate with its chain and its private key.
type Pair struct {
	Chain string // PEM, the certificate first
	Key   string // PEM; a secret
}

// Split sorts the blocks of PEM texts into the chain and the key, in whatever order they come.
func Split(texts ...[]byte) (Pair, error) {
	var chain, key bytes.Buffer
	keys := 0
	for block := range blocks(bytes.Join(texts, []byte("\n"))) {
		switch {
		case block.Type == "CERTIFICATE":
			pem.Encode(&chain, block) //nolint:errcheck // a buffer takes everything
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			keys++
			pem.Encode(&key, block) //nolint:errcheck // likewise
		}
	}
	switch {
	case chain.Len() == 0:
		return Pair{}, errors.New("there is no certificate in it (-----BEGIN CERTIFICATE-----)")
	case keys == 0:
		return Pair{}, errors.New("there is no private key in it (-----BEGIN PRIVATE KEY-----)")
	case keys > 1:
		return Pair{}, errors.New("there is more than one private key in it")
	}
	return Pair{Chain: chain.String(), Key: key.String()}, nil
}

// blocks are those of a PEM text. What stands between them is not read.
func blocks(text []byte) func(yield func(*pem.Block) bool) {
	return func(yield func(*pem.Block) bool) {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if !yield(block) {
				return
			}
		}
	}
}

// Open reads a pair: the key must be that of the certificate. No error contains anything of the key.
func (p Pair) Open() (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair([]byte(p.Chain), []byte(p.Key))
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "tls: "))
	}
	if cert.Leaf == nil {
		if cert.Leaf, err = x509.ParseCertificate(cert.Certificate[0]); err != nil {
			return nil, err
		}
	}
	if len(cert.Leaf.DNSNames) == 0 {
		return nil, fmt.Errorf("the certificate of %.60q names no host", cert.Leaf.Subject.CommonName)
	}
	return &cert, nil
}

// good reports whether a certificate can be used at a time.
func good(c *tls.Certificate, now time.Time) bool {
	return !now.Before(c.Leaf.NotBefore) && now.Before(c.Leaf.NotAfter)
}

// names finds certificates by the names in them, "*.example.org" among them.
type names map[string][]*tls.Certificate

func (n names) add(c *tls.Certificate) {
	for _, name := range c.Leaf.DNSNames {
		name = plain(name)
		n[name] = append(n[name], c)
	}
}

// find is the certificate that is good longest for a name: one for the name itself, or else for all beside it; nil if
// there is none. One that is not good now is only better than none.
func (n names) find(name string, now time.Time) *tls.Certificate {
	itself := longest(n[name], now)
	if itself != nil && good(itself, now) {
		return itself
	}
	if _, parent, ok := strings.Cut(name, "."); ok {
		if c := longest(n["*."+parent], now); c != nil && (itself == nil || good(c, now)) {
			return c
		}
	}
	return itself
}

func longest(list []*tls.Certificate, now time.Time) (best *tls.Certificate) {
	for _, c := range list {
		if best == nil || better(c, best, now) {
			best = c
		}
	}
	return best
}

func better(c, than *tls.Certificate, now time.Time) bool {
	if good(c, now) != good(than, now) {
		return good(c, now)
	}
	return c.Leaf.NotAfter.After(than.Leaf.NotAfter)
}
