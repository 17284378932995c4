package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// laterVersion is that of the package with which the host of TestDebianUpdate is updated.
const laterVersion = "99991231"

// TestDebianUpdate: Debian publishes new certificates, the host gets them by apt, and base:update passes them on to an
// app. The host is this one, in a mount namespace whose changes are gone afterwards; the archive is a signed one, with
// Debian's own package under a later version and without one of its certificates.
func TestDebianUpdate(t *testing.T) {
	if *based < 3 {
		t.Skip("updates a Debian: make test-base-update")
	}
	if os.Geteuid() != 0 {
		t.Fatal("needs root, for a mount namespace")
	}
	r := newRig(t, filepath.Join(bin, "gitd"), "")
	h := updatableHost(t, r)
	r.serve()
	r.admit()
	r.repo("shop", "testdata/bases")
	pushed(t, r, "shop")
	if out := r.gitd("base:list"); strings.Contains(out, laterVersion) {
		t.Fatalf("the later version is there before anybody has published it:\n%s", out)
	}

	h.publish()
	h.restart()
	if out := r.gitd("base:list"); !strings.Contains(out, "ca-certificates "+laterVersion+" (debian)") {
		t.Errorf("what the archive has is not said:\n%s", out)
	}
	if out := r.gitd("base:update"); !strings.Contains(out, "every app is on the newest base already") {
		t.Errorf("moved before the host was updated:\n%s", out)
	}
	h.run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "update")
	h.run("apt-get", "-qq", "-y", "-o", "APT::Sandbox::User=root", "install", "--only-upgrade", "ca-certificates")
	h.restart()
	if out := r.gitd("base:list"); !strings.Contains(out, "ca-certificates "+laterVersion+" (host)") {
		t.Errorf("what the host has is not said:\n%s", out)
	}
	diff := r.gitd("base:diff", "shop")
	t.Log(diff)
	if n := strings.Count(diff, "\n"); !strings.Contains(diff, "/etc/ssl/certs/ca-certificates.crt") || !strings.Contains(diff, "→ ca-certificates "+laterVersion) ||
		!strings.Contains(diff, "~  /etc") || strings.Contains(diff, "libc.so.6") || n < 2 {
		t.Errorf("one file differs, and that is said:\n%s", diff)
	}
	t.Log(r.gitd("base:update"))
	if out := r.gitd("base:list"); !strings.Contains(out, "  "+laterVersion) || strings.Contains(out, "("+"host)") {
		t.Errorf("after the update:\n%s", out)
	}
	r.gitd("base:rollback")
	if out := r.gitd("base:list"); !strings.Contains(out, "ca-certificates "+laterVersion+" (host)") {
		t.Errorf("after the rollback:\n%s", out)
	}
	r.halt()
}

// debianHost is this host, as the gitd of a rig sees it.
type debianHost struct {
	r    *rig
	work string
}

// updatableHost has the gitd of r see copies of the host's folders in which Debian's packages are.
func updatableHost(t *testing.T, r *rig) *debianHost {
	t.Helper()
	work, err := os.MkdirTemp("", "gh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(work) })
	h := &debianHost{r, work}
	script := `#!/bin/sh
if [ "$1" != serve ]; then exec ` + r.program + ` "$@"; fi
exec unshare --mount --propagation private sh -ec '
if [ ! -d ` + work + `/up/usr ]; then mkdir -p ` + work + `/up; fi
for dir in usr etc var/lib/dpkg var/lib/apt var/cache; do
	mkdir -p "` + work + `/up/$dir" "` + work + `/tmp/$dir"
	mount -t overlay overlay -o "lowerdir=/$dir,upperdir=` + work + `/up/$dir,workdir=` + work + `/tmp/$dir" "/$dir"
done
exec ` + r.program + ` "$@"' sh "$@"
`
	h.r.must(exec.Command("chmod", "755", work))
	r.program = filepath.Join(work, "gitd")
	if err := os.WriteFile(r.program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return h
}

// run runs a command on the host as gitd sees it.
func (h *debianHost) run(args ...string) {
	h.r.t.Helper()
	cmd := exec.Command("nsenter", append([]string{fmt.Sprintf("--mount=/proc/%d/ns/mnt", h.r.cmd.Process.Pid), "--"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	h.r.must(cmd)
}

// restart starts gitd anew, so that it asks at once and not within the hour.
func (h *debianHost) restart() {
	h.r.t.Helper()
	h.r.halt()
	if err := os.RemoveAll(filepath.Join(h.r.state, "cache", "debian", "updated")); err != nil {
		h.r.t.Fatal(err)
	}
	h.r.serve()
}

// publish makes an archive with a later package, signs it, and adds it to the host's sources.
func (h *debianHost) publish() {
	h.r.t.Helper()
	repo := filepath.Join(h.work, "repo")
	do := func(name string, args ...string) string {
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = repo, append(os.Environ(), "GNUPGHOME="+filepath.Join(h.work, "gpg"))
		return h.r.must(cmd)
	}
	h.r.must(exec.Command("mkdir", "-p", "-m", "755", repo))
	h.r.must(exec.Command("mkdir", "-m", "700", filepath.Join(h.work, "gpg")))
	do("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "ca-certificates")
	do("sh", "-ec", `dpkg-deb --raw-extract ca-certificates_*.deb tree
		rm ca-certificates_*.deb tree/usr/share/ca-certificates/mozilla/ACCVRAIZ1.crt
		sed -i '/ACCVRAIZ1/d' tree/DEBIAN/md5sums
		sed -i 's/^Version: .*/Version: `+laterVersion+`/' tree/DEBIAN/control
		dpkg-deb --root-owner-group --build tree ca-certificates_`+laterVersion+`_all.deb
		rm -r tree
		dpkg-scanpackages -m . /dev/null > Packages`)
	packages, err := os.ReadFile(filepath.Join(repo, "Packages"))
	if err != nil {
		h.r.t.Fatal(err)
	}
	release := fmt.Sprintf("Origin: test\nLabel: test\nSuite: test\nCodename: test\nDate: %s\nArchitectures: amd64 arm64 all\nSHA256:\n %x %d Packages\n",
		time.Now().UTC().Format(time.RFC1123), sha256.Sum256(packages), len(packages))
	if err := os.WriteFile(filepath.Join(repo, "Release"), []byte(strings.ReplaceAll(release, " GMT", " UTC")), 0o644); err != nil {
		h.r.t.Fatal(err)
	}
	do("sh", "-ec", `gpg --batch --quiet --passphrase '' --quick-generate-key test@example.org ed25519 sign never
		gpg --batch --clearsign --output InRelease Release
		gpg --batch --export > key.gpg
		chmod -R a+rX .`)
	list := fmt.Sprintf("deb [signed-by=%s/key.gpg] file:%s ./\n", repo, repo)
	h.run("sh", "-ec", "printf '%s' '"+list+"' > /etc/apt/sources.list.d/test.list")
}
