package gitd_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/certs/pebbletest"
)

var debian = flag.String("debian", "", "releases of Debian, with commas, on which TestDeb installs the packages")

// TestDeb is the life of a server on which gitd is installed from its packages: a fresh Debian, one line of apt, a
// claim, a push; then gitd crashes, the server reboots, gitd is upgraded under load, removed, installed again, purged.
func TestDeb(t *testing.T) {
	if *debian == "" {
		t.Skip("installs packages on Debian servers: make test-deb runs it")
	}
	if os.Geteuid() != 0 {
		t.Fatal("only root can boot a server")
	}
	first, second := debs(t.Context(), t, "v0.0.1"), debs(t.Context(), t, "v0.0.2")
	for release := range strings.SplitSeq(*debian, ",") {
		t.Run(release, func(t *testing.T) {
			s := newServer(t.Context(), t, release)
			for dir, from := range map[string]string{"first": first, "second": second} {
				if err := os.CopyFS(filepath.Join(s.root, "root", dir), os.DirFS(from)); err != nil {
					t.Fatal(err)
				}
			}
			lifeOfServer(t.Context(), s)
		})
	}
}

// debs makes the packages of a version, and returns the folder that they are in.
func debs(ctx context.Context, t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, "go", "run", "./scripts/package", "-out", dir, "-as", version)
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packages: %v\n%s", err, out)
	}
	return dir
}

// claimLine is the one line that the installation prints for its first person.
var claimLine = regexp.MustCompile(`(?m)^gitd is running\. Become its administrator, from where your SSH key is: ssh -p 2222 claim-\S+@\S+ YOUR-NAME$`)

// fromReadme are the lines of README.md that lead a newcomer from an empty Debian to an app with HTTPS.
var fromReadme = regexp.MustCompile("(?s)all the lines from there to `https://app.example.test/`:\n\n```\n(.*?)```")

// newcomer types the lines of README.md, and nothing else. Pebble stands for Let's Encrypt.
func (s *server) newcomer(ctx context.Context) {
	s.t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		s.t.Fatal(err)
	}
	block := fromReadme.FindSubmatch(readme)
	if block == nil {
		s.t.Fatal("README.md does not say how to begin on a server")
	}
	lines := strings.Split(strings.TrimSpace(string(block[1])), "\n")
	if len(lines) > 6 {
		s.t.Errorf("%d lines from an empty Debian to an app with HTTPS: six were promised", len(lines))
	}
	said := s.run(ctx, "cd /root/first; "+answered(lines[0]))
	if !claimLine.MatchString(said) {
		s.t.Fatalf("apt says no line to claim gitd:\n%s", said)
	}
	s.run(ctx, `
		mkdir -p /etc/systemd/system/gitd.service.d
		printf '[Service]\nEnvironment=GITD_ACME_DIRECTORY=https://127.0.0.1:14000/dir GITD_ACME_CA_ROOT=/opt/pebble/ca.pem\n' >/etc/systemd/system/gitd.service.d/pebble.conf
		systemctl daemon-reload`)
	claim := regexp.MustCompile(`ssh -p 2222 claim-\S+@example\.test`).FindString(s.run(ctx, lines[1]))
	placeholder := regexp.MustCompile(`ssh -p 2222 claim-[X-]+@example\.test`)
	if claim == "" || !placeholder.MatchString(lines[2]) {
		s.t.Fatalf("gitd claim printed %q for %s", claim, lines[2])
	}
	s.wants(ctx, placeholder.ReplaceAllString(lines[2], claim)+" </dev/null", "Welcome, ada")
	s.wants(ctx, "cd /root; "+strings.Join(lines[3:], "\n")+" 2>&1", "v1 is live at https://app.example.test/", "-nodeos")
	s.answers(ctx)
}

// answered is a line of apt for which nobody is asked.
func answered(line string) string {
	return strings.Replace(line, "apt install ", "apt-get install -qq -y -o Dpkg::Use-Pty=0 ", 1) + " 2>&1"
}

// world is what a newcomer has before: an ACME server, an SSH key, git's name, and a way to say yes to ssh.
func (s *server) world(ctx context.Context) {
	s.t.Helper()
	dir := filepath.Join(s.root, "opt/pebble")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	pebbletest.Lay(s.t, dir, "/opt/pebble", pebbletest.Config{HTTP: ":80", TLS: ":443"})
	s.run(ctx, `
		chmod 644 /opt/pebble/ca.pem
		systemd-run --quiet --unit=names /opt/pebble/pebble-challtestsrv -dnsserver 127.0.0.1:8053 -management 127.0.0.1:8055 \
			-http01 '' -https01 '' -tlsalpn01 '' -doh '' -defaultIPv4 10.0.2.100 -defaultIPv6 ''
		systemd-run --quiet --unit=pebble --setenv=PEBBLE_VA_NOSLEEP=1 /opt/pebble/pebble -config /opt/pebble/pebble.json -dnsserver 127.0.0.1:8053
		apt-get -qq update; apt-get -qq install -y -o Dpkg::Use-Pty=0 --no-install-recommends git openssh-client >/dev/null 2>&1
		install -d -m 700 /root/.ssh; echo 'StrictHostKeyChecking accept-new' >/root/.ssh/config
		ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
		git config --global user.name Ada; git config --global user.email ada@example.test
		timeout 30 sh -c 'until curl -sS --fail --cacert /opt/pebble/ca.pem https://127.0.0.1:15000/roots/0 >/root/root.pem; do sleep 0.1; done'`)
}

const ask = "curl -sS --fail --cacert /root/root.pem https://app.example.test/"

const install = "apt-get install -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends "

// oldest prints the machine of the app: the spare one has begun to boot after it.
const oldest = "pgrep -o qemu-system"

func lifeOfServer(ctx context.Context, s *server) {
	s.step("a newcomer types the lines of README.md")
	s.world(ctx)
	s.newcomer(ctx)
	s.wants(ctx, "gitd version", "v0.0.1")
	s.wants(ctx, "stat -c '%U %a' /var/lib/gitd /etc/gitd/gitd.env", "gitd 711", "root 640")
	s.wants(ctx, "cat /etc/subuid /etc/subgid", "gitd:100000:65536")
	s.wants(ctx, `stat -c %U "/proc/$(systemctl show -P MainPID gitd)"`, "gitd")
	if journal := s.run(ctx, "journalctl --no-pager --unit gitd"); strings.Contains(journal, "no walls") || strings.Contains(journal, "no sandbox") {
		s.t.Errorf("the unit is too narrow for gitd's walls:\n%s", journal)
	}
	s.t.Log(strings.TrimSpace(s.run(ctx, "systemd-analyze security --no-pager gitd.service | tail -1")))
	machine := s.run(ctx, oldest)

	s.step("gitd crashes, and its machine does not notice")
	s.run(ctx, `kill -9 "$(systemctl show -P MainPID gitd)"`)
	s.answers(ctx)
	if now := s.run(ctx, oldest); now != machine {
		s.t.Errorf("the machine was process %s, and is %s", machine, now)
	}

	s.step("the server reboots")
	s.off()
	s.on(ctx)
	s.answers(ctx)

	s.step("gitd is upgraded under load")
	machine = s.run(ctx, oldest)
	s.run(ctx, "nohup sh -c 'while [ ! -e /root/enough ]; do "+ask+" >>/root/answers 2>>/root/failures || true; done; touch /root/ended' >/dev/null 2>&1 &")
	s.run(ctx, "cd /root/second; "+install+"./gitd_*.deb ./gitd-kernel_*.deb 2>&1; touch /root/enough; until [ -e /root/ended ]; do sleep 0.1; done")
	s.t.Log("answers meanwhile: " + s.run(ctx, "grep -c Hello /root/answers"))
	if failures := s.run(ctx, "cat /root/failures"); failures != "" {
		s.t.Errorf("requests failed:\n%s", failures)
	}
	s.wants(ctx, "gitd status", "v0.0.2")
	if now := s.run(ctx, oldest); now != machine {
		s.t.Errorf("the machine was process %s, and is %s", machine, now)
	}

	s.step("gitd is removed, which keeps the apps, and installed again")
	s.run(ctx, "apt-get remove -qq -y gitd 2>&1; ! pgrep qemu-system; ! pgrep -x gitd")
	s.run(ctx, "cd /root/second; "+install+"./gitd_*.deb 2>&1")
	s.answers(ctx)

	s.step("gitd is purged: apps are nobody's to remove by the way")
	s.wants(ctx, "apt-get purge -qq -y gitd gitd-kernel 2>&1", "The apps of gitd, with their volumes, stay in /var/lib/gitd")
	s.run(ctx, "test -d /var/lib/gitd/repos; test ! -e /etc/gitd; test ! -e /var/cache/gitd; test ! -e /usr/lib/gitd; ! systemctl cat gitd 2>/dev/null; ! pgrep qemu-system")
}

// answers waits until the app does.
func (s *server) answers(ctx context.Context) {
	s.t.Helper()
	s.run(ctx, "timeout 120 sh -c 'until "+ask+" 2>/dev/null; do sleep 0.2; done'")
}
