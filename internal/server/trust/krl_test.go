package trust_test

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/server/trust"
)

// desk is a folder in which ssh-keygen works.
type desk struct {
	*testing.T
	dir string
}

func newDesk(t *testing.T) desk {
	t.Helper()
	if testing.Short() {
		t.Skip("runs ssh-keygen")
	}
	return desk{t, t.TempDir()}
}

func (d desk) path(name string) string { return filepath.Join(d.dir, name) }

// keygen runs ssh-keygen, and fails the test if that fails.
func (d desk) keygen(args ...string) {
	d.Helper()
	cmd := exec.CommandContext(d.Context(), "ssh-keygen", args...)
	cmd.Dir = d.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		d.Fatalf("ssh-keygen %s: %v\n%s", args, err, out)
	}
}

func (d desk) write(name, text string) {
	d.Helper()
	if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
		d.Fatal(err)
	}
}

func (d desk) remove(name string) {
	d.Helper()
	if err := os.Remove(d.path(name)); err != nil {
		d.Fatal(err)
	}
}

func (d desk) read(name string) []byte {
	d.Helper()
	text, err := os.ReadFile(d.path(name))
	if err != nil {
		d.Fatal(err)
	}
	return text
}

// public is the key or certificate in a file.
func (d desk) public(name string) gossh.PublicKey {
	d.Helper()
	key, _, _, _, err := gossh.ParseAuthorizedKey(d.read(name))
	if err != nil {
		d.Fatal(err)
	}
	return key
}

// key makes a key.
func (d desk) key(name, kind string) {
	d.Helper()
	d.keygen("-q", "-t", kind, "-N", "", "-C", name, "-f", name)
}

// cert makes a certificate for the key sam, and calls it name-cert.pub.
func (d desk) cert(name, ca, id string, serial uint64, more ...string) {
	d.Helper()
	d.write(name+".pub", string(d.read("sam.pub")))
	d.keygen(append([]string{"-q", "-s", ca, "-I", id, "-n", "sam", "-z", strconv.FormatUint(serial, 10)}, append(more, name+".pub")...)...)
}

// TestRevokedAsOpenSSH makes lists with the real ssh-keygen, in each form that it writes, and asks it and gitd of the
// same keys: both say the same.
func TestRevokedAsOpenSSH(t *testing.T) {
	d := newDesk(t)
	for name, kind := range map[string]string{"ca": "ed25519", "otherca": "ecdsa", "sam": "ed25519", "ada": "rsa", "eve": "ecdsa"} {
		d.key(name, kind)
	}
	candidates := []string{"sam.pub", "ada.pub", "eve.pub", "ca.pub"}
	for i, serial := range []uint64{0, 1, 7, 8, 64, 1000, 1001, 1e12, math.MaxUint64} {
		name := "c" + strconv.Itoa(i)
		d.cert(name, "ca", "id"+strconv.Itoa(i), serial)
		candidates = append(candidates, name+"-cert.pub")
	}
	d.cert("foreign", "otherca", "id1", 7)
	candidates = append(candidates, "foreign-cert.pub")
	var few, many strings.Builder
	for i := range 40 {
		few.WriteString("serial: " + strconv.Itoa(i*1e6+7) + "\n")
	}
	for i := 1; i < 400; i += 3 {
		many.WriteString("serial: " + strconv.Itoa(i) + "\n")
	}
	for name, list := range map[string]struct{ spec, ca string }{
		"nothing":              {"", ""},
		"a key":                {string(d.read("ada.pub")), ""},
		"keys":                 {string(d.read("ada.pub")) + string(d.read("eve.pub")), ""},
		"the CA":               {string(d.read("ca.pub")), ""},
		"the certificate's":    {string(d.read("sam.pub")), ""},
		"by SHA-1":             {"sha1: " + string(d.read("ada.pub")), ""},
		"by SHA-256":           {"sha256: " + string(d.read("sam.pub")), ""},
		"by a hash":            {"hash: " + gossh.FingerprintSHA256(d.public("eve.pub")), ""},
		"a serial":             {"serial: 7", "ca.pub"},
		"a range":              {"serial: 7-1000", "ca.pub"},
		"to the end":           {"serial: 1001-18446744073709551615", "ca.pub"},
		"far apart":            {few.String(), "ca.pub"},
		"a bitmap":             {many.String(), "ca.pub"},
		"ids":                  {"id: id3\nid: id1\n", "ca.pub"},
		"of the other CA":      {"serial: 7\nid: id8", "otherca.pub"},
		"of any CA":            {"serial: 7", "none"},
		"a certificate":        {string(d.read("c2-cert.pub")), "ca.pub"},
		"ids and serials":      {"id: id5\nserial: 1\nserial: 8\n", "ca.pub"},
		"a certificate of 0":   {string(d.read("c0-cert.pub")), "ca.pub"},
		"keys and ids":         {"id: id5\nsha256: " + string(d.read("ada.pub")), "ca.pub"},
		"the last serial":      {"serial: 18446744073709551615", "ca.pub"},
		"ranges that join":     {"serial: 1-5\nserial: 6-8\nserial: 3-64\n", "ca.pub"},
		"a bitmap of big ones": {"serial: 999999999999\nserial: 1000000000000\nserial: 1000000000003\nserial: 1000000000006\n", "ca.pub"},
	} {
		t.Run(name, func(t *testing.T) {
			d := desk{t, d.dir}
			d.write("spec", list.spec+"\n")
			args := []string{"-k", "-f", "list", "spec"}
			if list.ca != "" {
				args = []string{"-k", "-f", "list", "-s", list.ca, "spec"}
			}
			d.keygen(args...)
			got, err := trust.ParseRevocations(d.read("list"))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range candidates {
				want := d.asks("list", c)
				if is := got.Revoked(d.public(c)); is != want {
					t.Errorf("%s is revoked: %t; ssh-keygen says %t", c, is, want)
				}
			}
		})
	}
}

// asks is whether ssh-keygen calls a key revoked.
func (d desk) asks(list, key string) bool {
	d.Helper()
	cmd := exec.CommandContext(d.Context(), "ssh-keygen", "-Q", "-f", list, key)
	cmd.Dir = d.dir
	out, err := cmd.CombinedOutput()
	if failed, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || failed.ExitCode() != 1) || !strings.Contains(string(out), ": ") {
		d.Fatalf("ssh-keygen -Q: %v\n%s", err, out)
	}
	return strings.Contains(string(out), "REVOKED")
}

// TestPlainRevocations: the list may be one of public keys, as sshd takes it.
func TestPlainRevocations(t *testing.T) {
	const sam = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1sBhUyk3qKDyxSTnVSiKjbqhBlF1NIQv1lWn5pUbO"
	key, _, _, _, err := gossh.ParseAuthorizedKey([]byte(sam))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"": false, "# none\n\n": false, "# sam left\n" + sam + " sam@laptop\r\n": true, "  " + sam: true} {
		if list, err := trust.ParseRevocations([]byte(text)); err != nil || list.Revoked(key) != want {
			t.Errorf("%q: %t, %v", text, !want, err)
		}
	}
	if (trust.Revocations{}).Revoked(key) {
		t.Error("no list revokes")
	}
	for _, text := range []string{"sam", sam + "\nssh-ed25519 AAAA\n", `from="10.0.0.1" ` + sam, "SHA256:abc", "-----BEGIN OPENSSH PRIVATE KEY-----"} {
		if _, err := trust.ParseRevocations([]byte(text)); err == nil || !strings.Contains(err.Error(), "neither a public key nor") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestDamagedList: a list that is cut or changed is never read as one that revokes less.
func TestDamagedList(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"ca", "sam"} {
		d.key(name, "ed25519")
	}
	d.write("spec", "serial: 7-9\nserial: 1000\nid: sam\nsha256: "+string(d.read("sam.pub")))
	d.keygen("-k", "-f", "list", "-s", "ca.pub", "spec")
	whole := d.read("list")
	for n := len("SSHKRL\n\x00"); n < len(whole); n++ {
		list, err := trust.ParseRevocations(whole[:n])
		if err == nil && list.Revoked(d.public("sam.pub")) {
			t.Errorf("%d of %d bytes are read as a whole list", n, len(whole))
		}
	}
	for text, why := range map[string]string{
		string(whole) + "\x09\x00\x00\x00\x00":                                      "kind 9",
		string(whole) + "\x04\x00\x00\x00\x00":                                      "it is signed",
		string(whole) + "\xff\x00\x00\x00\x0a\x00\x00\x00\x01x\x01\x00\x00\x00\x00": `extension "x"`,
		string(whole) + "\x03\x00\x00\x00\x05\x00\x00\x00\x01x":                     "damaged",
		string(whole) + "\x02\x00\x00\x00\x04\x00\x00\x00\x00":                      "damaged",
		"SSHKRL\n\x00\x00\x00\x00\x02" + string(whole[12:]):                         "its form is 2",
	} {
		if _, err := trust.ParseRevocations([]byte(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want %q", err, why)
		}
	}
	ignorable := string(whole) + "\xff\x00\x00\x00\x0a\x00\x00\x00\x01x\x00\x00\x00\x00\x00"
	if list, err := trust.ParseRevocations([]byte(ignorable)); err != nil || !list.Revoked(d.public("sam.pub")) {
		t.Errorf("an extension that may be passed over: %v", err)
	}
}

// FuzzParseRevocations: no bytes crash it, and what it reads is no more than they are.
func FuzzParseRevocations(f *testing.F) {
	const head = "SSHKRL\n\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00e\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	const certs = "\x01\x00\x00\x00\x45\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x20\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x21\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x00\x07\xff\xff\xff\xff\xff\xff\xff\xff" +
		"\x22\x00\x00\x00\x0d\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00\x00\x01\x07" +
		"\x23\x00\x00\x00\x05\x00\x00\x00\x01x"
	for _, s := range []string{"", head, head + certs, head + "\x02\x00\x00\x00\x05\x00\x00\x00\x01x", "# none", "ssh-ed25519 AAAA"} {
		f.Add([]byte(s))
	}
	cert := &gossh.Certificate{Key: &noKey{}, SignatureKey: &noKey{}, Serial: 7, KeyId: "x"}
	f.Fuzz(func(_ *testing.T, text []byte) {
		if list, err := trust.ParseRevocations(text); err == nil {
			list.Revoked(cert)
			list.Revoked(&noKey{})
		}
	})
}

// noKey is a key of no kind.
type noKey struct{}

func (*noKey) Type() string                          { return "none" }
func (*noKey) Marshal() []byte                       { return []byte("x") }
func (*noKey) Verify([]byte, *gossh.Signature) error { return errors.New("it signs nothing") }
