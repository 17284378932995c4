package registry

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Signature is a registry's own signature of a version, as `npm audit signatures` checks it: of the package's name,
// version and checksum, by a key of the registry's. A mirror passes it on, and cannot make one.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // of ECDSA, base64
}

// Keys are the public keys of a registry, by their ids.
type Keys map[string]key

type key struct {
	public  *ecdsa.PublicKey
	expires time.Time // what is published afterwards is not signed by it; zero: it does not expire
}

// npmKeys is what https://registry.npmjs.org/-/npm/v1/keys answers. The same keys are in npm's packages corepack
// 0.34.7 and @sigstore/tuf 4.0.2, from where these are. They are not asked for: who stands between gitd and the
// registry could send others.
//
//go:embed npmkeys.json
var npmKeys []byte

// NPMKeys are those of npm's own registry.
var NPMKeys = sync.OnceValues(func() (Keys, error) { return ParseKeys(npmKeys) })

// ParseKeys reads keys in the form in which a registry answers /-/npm/v1/keys.
func ParseKeys(text []byte) (Keys, error) {
	var doc struct {
		Keys []struct {
			Expires *time.Time `json:"expires"`
			KeyID   string     `json:"keyid"`
			Key     []byte     `json:"key"` // DER
		} `json:"keys"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("read the registry's keys: %w", err)
	}
	keys := Keys{}
	for _, k := range doc.Keys {
		any, err := x509.ParsePKIXPublicKey(k.Key)
		if err != nil {
			return nil, fmt.Errorf("the registry's key %q: %w", k.KeyID, err)
		}
		public, ok := any.(*ecdsa.PublicKey)
		if !ok || k.KeyID == "" {
			return nil, fmt.Errorf("the registry's key %q is none of ECDSA with an id", k.KeyID)
		}
		one := key{public: public}
		if k.Expires != nil {
			one.expires = *k.Expires
		}
		keys[k.KeyID] = one
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no key of a registry in it")
	}
	return keys, nil
}

// ErrSignature says that a signature is wrong: the checksum, or the version, is not the one that was signed.
var ErrSignature = errors.New("the signature is wrong")

// Signer is the id of the key that has signed v; "": there is no signature by a key that is known here. A signature by
// a known key that is wrong is an ErrSignature, whatever stands beside it.
func (ks Keys) Signer(v Version) (id string, err error) {
	for _, s := range v.Signatures {
		k, known := ks[s.KeyID]
		if !known {
			continue
		}
		if err := k.verify(v, s); err != nil {
			return "", err
		}
		if !k.expires.IsZero() && !v.Published.IsZero() && !v.Published.Before(k.expires) {
			return "", fmt.Errorf("%w: the key %s had expired when %s %s was published", ErrSignature, s.KeyID, v.Name, v.Number)
		}
		// What says no date may be younger than the key may be.
		if k.expires.IsZero() || !v.Latest().IsZero() && v.Latest().Before(k.expires) {
			id = s.KeyID
		}
	}
	return id, nil
}

func (k key) verify(v Version, s Signature) error {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s@%s:%s", v.Name, v.Number.Original(), v.Integrity))
	sig, err := base64.StdEncoding.DecodeString(s.Sig)
	if err != nil || !ecdsa.VerifyASN1(k.public, sum[:], sig) {
		return fmt.Errorf("%w: the key %s has not signed %s %s with the checksum %s", ErrSignature, s.KeyID, v.Name, v.Number, v.Integrity)
	}
	return nil
}

// expires reports whether one of these signatures is by a key that expires: then it matters when v was published.
func (ks Keys) expires(signatures []Signature) bool {
	for _, s := range signatures {
		if k, ok := ks[s.KeyID]; ok && !k.expires.IsZero() {
			return true
		}
	}
	return false
}
