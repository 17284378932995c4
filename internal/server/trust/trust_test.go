package trust_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/server/trust"
)

const ca = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu1sBhUyk3qKDyxSTnVSiKjbqhBlF1NIQv1lWn5pUbO"

// TestAuthorities: a CA that does not say for whom it signs let everybody in whom one of its principals named.
func TestAuthorities(t *testing.T) {
	list, err := trust.ParseAuthorities([]byte("# people\n\n" + `cert-authority,principals="ada, deploy-*,!deploy-old",from="192.0.2.0/24" ` + ca + " people\r\n" +
		`principals="*" ` + ca + "\n"))
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for name, want := range map[string]bool{"ada": true, "adam": false, "deploy-1": true, "deploy-old": false, "root": false, "": false} {
		if list[0].Principals.Allow(name) != want {
			t.Errorf("%q: %t", name, !want)
		}
	}
	if !list[1].Principals.Allow("root") || !list[1].AllowsFrom(netip.MustParseAddr("::1")) {
		t.Error("the CA that signs for all")
	}
	if !list[0].AllowsFrom(netip.MustParseAddr("192.0.2.7")) || list[0].AllowsFrom(netip.MustParseAddr("192.0.3.7")) {
		t.Error("from=")
	}
	for text, why := range map[string]string{
		"": "it holds no public key", "# none": "it holds no public key", "hello": "line 1: no public key", `principals="a" ` + ca + "\nhello": "line 2: no public key",
		ca: "does not say for whom", "cert-authority " + ca: `principals="*" for all`, `principals="" ` + ca: "no user",
		`principals="a b" ` + ca: "no user", `principals="a/b" ` + ca: "no user", `principals="!a" ` + ca: "only whom the CA may not sign for",
		`principals="a",restrict ` + ca: `"restrict" before the key`, `principals="a",command="x" ` + ca: `"command" before the key`,
		`principals="a",from="example.org" ` + ca: "not looked up", `principals="[a]" ` + ca: "no user",
	} {
		if _, err := trust.ParseAuthorities([]byte(text)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.40q: %v, want %q", text, err, why)
		}
	}
}

// FuzzParseAuthorities: what is read names somebody, and never everybody unless it says so.
func FuzzParseAuthorities(f *testing.F) {
	for _, s := range []string{"", ca, `principals="*" ` + ca, `cert-authority,principals="ada,!eve",from="10.0.0.0/8" ` + ca + " c\n# x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := trust.ParseAuthorities(text)
		if err != nil {
			return
		}
		for _, a := range list {
			if len(a.Principals) == 0 || a.Principals.Allow("nobody") && !strings.ContainsAny(string(text), "*?") && !strings.Contains(string(text), "nobody") {
				t.Errorf("%q is for %q", text, a.Principals)
			}
		}
	})
}

// TestChoose: a certificate of two users was that of the first of them, whichever that was.
func TestChoose(t *testing.T) {
	for _, tt := range []struct {
		users []string
		asked string
		want  string
	}{
		{[]string{"ada"}, "nodeos", "ada"},
		{[]string{"ada"}, "eve", "ada"},
		{[]string{"ada", "ops"}, "ops", "ops"},
		{[]string{"ada", "ops"}, "nodeos", ""},
		{[]string{"ada", "ops"}, "eve", ""},
	} {
		got, err := trust.Choose(tt.users, tt.asked)
		if got != tt.want || (err == nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), "ssh ada@HOST") {
			t.Errorf("%s as %s: %q, %v", tt.users, tt.asked, got, err)
		}
	}
}

// TestVouch: what a certificate opens ends with its time, with its CA's word, and with its revocation; a list that
// cannot be read lets nobody in, and says nothing of who is there.
func TestVouch(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"ca", "sam"} {
		d.key(name, "ed25519")
	}
	d.cert("now", "ca", "sam", 7, "-V", "+1h")
	d.cert("over", "ca", "sam", 8, "-V", "-2h:-1h")
	d.cert("forced", "ca", "sam", 9, "-O", "force-command=releases shop")
	d.cert("unknown", "ca", "sam", 9, "-O", "critical:later@example.org=x")
	signs := func(principals string) { d.write("cas", fmt.Sprintf("principals=%q %s", principals, d.read("ca.pub"))) }
	signs("sam")
	d.write("revoked", "# none\n")
	tr, err := trust.Open(d.path("cas"), d.path("revoked"))
	if err != nil || !tr.Certificates() {
		t.Fatal(err)
	}
	line := func(name string) string { return string(d.read(name + "-cert.pub")) }
	says := func(what string, err error, want error) {
		t.Helper()
		if want == nil && err != nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	says("a good one", tr.VouchText("sam", line("now")), nil)
	says("somebody else's", tr.VouchText("ada", line("now")), core.ErrNotFound)
	for name, why := range map[string]string{"over": "has expired", "unknown": "later@example.org"} {
		err := tr.VouchText("sam", line(name))
		says(name, err, core.ErrNotFound)
		if !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := tr.Names(d.public("forced-cert.pub").(*gossh.Certificate), time.Now()); err != nil || n.Forced != "releases shop" {
		t.Errorf("%+v, %v", n, err)
	}
	signs("ada,eve")
	says("for whom the CA may not sign any more", tr.VouchText("sam", line("now")), core.ErrNotFound)
	signs("*")
	says("for whom it may sign again", tr.VouchText("sam", line("now")), nil)
	d.keygen("-k", "-f", "revoked", "-s", "ca.pub", "-z", "1", "now-cert.pub")
	says("revoked", tr.VouchText("sam", line("now")), core.ErrNotFound)
	says("its key", tr.VouchText("sam", string(d.read("sam.pub"))), nil)
	d.write("revoked", string(d.read("sam.pub")))
	says("the key is revoked", tr.VouchText("sam", string(d.read("sam.pub"))), core.ErrNotFound)
	for _, damage := range []func(){func() { d.write("revoked", "SSHKRL\n\x00") }, func() { d.remove("revoked") }} {
		damage()
		if err := tr.VouchText("sam", line("now")); !unreadable(err) || errors.Is(err, core.ErrNotFound) {
			t.Errorf("a damaged list: %v", err)
		}
		if err := tr.Revoked(d.public("ca.pub")); !unreadable(err) {
			t.Errorf("a damaged list: %v", err)
		}
	}
	d.write("revoked", "")
	says("readable again", tr.VouchText("sam", line("now")), nil)
}

func unreadable(err error) bool {
	_, ok := errors.AsType[*trust.UnreadableError](err)
	return ok
}

// TestChanged is told once of each change, of what a file says and of one that cannot be read.
func TestChanged(t *testing.T) {
	path := t.TempDir() + "/revoked"
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# none\n")
	tr, err := trust.Open("", path)
	if err != nil || tr.Certificates() {
		t.Fatal(err)
	}
	changed := func(want, readable bool) {
		t.Helper()
		if got, err := tr.Changed(); got != want || (err == nil) != readable {
			t.Errorf("changed: %t, %v", got, err)
		}
	}
	changed(false, true)
	write(ca)
	changed(true, true)
	changed(false, true)
	write(ca) // the same
	changed(false, true)
	write("damaged")
	changed(true, false)
	changed(false, false)
	write(ca)
	changed(true, true)
	if _, err := trust.Open("", path+"x"); err == nil || !strings.Contains(err.Error(), "revoked keys: ") {
		t.Errorf("a list that is not there: %v", err)
	}
	if _, err := trust.Open(path, ""); err == nil || !strings.Contains(err.Error(), "trusted user CA: ") {
		t.Errorf("a CA for nobody: %v", err)
	}
}
