package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/unpack"
)

// plain is the deployment that people write by hand: OpenSSH, a bare repository for each app, and a hook that installs
// the dependencies and starts the process again. Nothing keeps the apps apart, no request is held, and nothing is
// checked before the old process ends.
type plain struct {
	b    *bench
	root string // unpacked packages
	dir  string // repositories and work trees
	port int    // of ssh
	apps map[string]int
}

// other starts OpenSSH when the first part asks for it.
func (b *bench) other(ctx context.Context) (*plain, error) {
	if b.plain != nil {
		return b.plain, nil
	}
	root, err := unpack.Packages(ctx, filepath.Join(b.work, "openssh"), "openssh-server", "libwrap0")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &plain{b: b, root: root, dir: filepath.Join(b.run, "plain"), port: port, apps: map[string]int{}}
	if err := errors.Join(os.MkdirAll(p.dir, 0o755), p.sshd(ctx)); err != nil {
		return nil, err
	}
	b.plain = p
	return p, nil
}

// sshd starts the server. Its user for the time before a login is in no /etc/passwd of a host that has not installed
// it, so it sees one of its own.
func (p *plain) sshd(ctx context.Context) error {
	users, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	if !strings.Contains(string(users), "\nsshd:") {
		users = append(users, "sshd:x:64000:65534::/run/sshd:/usr/sbin/nologin\n"...)
	}
	passwd, key, keys := filepath.Join(p.dir, "passwd"), filepath.Join(p.dir, "host_key"), filepath.Join(p.b.run, "id.pub")
	if err := os.WriteFile(passwd, users, 0o644); err != nil {
		return err
	}
	if err := p.b.command(ctx, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key); err != nil {
		return err
	}
	args := []string{"bwrap", "--die-with-parent", "--dev-bind", "/", "/", "--ro-bind", passwd, "/etc/passwd", "--tmpfs", "/run/sshd", "--cap-add", "ALL",
		"--setenv", "LD_LIBRARY_PATH", filepath.Join(p.root, "usr/lib/x86_64-linux-gnu") + ":" + filepath.Join(p.root, "usr/lib/aarch64-linux-gnu"),
		filepath.Join(p.root, "usr/sbin/sshd"), "-D", "-e", "-f", "/dev/null"}
	for _, o := range []string{
		"ListenAddress=127.0.0.1:" + strconv.Itoa(p.port), "HostKey=" + key, "AuthorizedKeysFile=" + keys, "StrictModes=no", "UsePAM=no",
		"PermitRootLogin=yes", "PasswordAuthentication=no", "PidFile=none", "UseDNS=no",
	} {
		args = append(args, "-o", o)
	}
	server, err := p.b.start("sshd", args...)
	if err != nil {
		return err
	}
	p.b.ends = append(p.b.ends, server.end)
	for late := time.After(readyLimit); ; {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(p.port)); err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(askPause):
		case <-server.exited:
			return fmt.Errorf("sshd ended: %s has what it said", server.log)
		case <-late:
			return errors.New("sshd does not listen")
		}
	}
}

// hook is what people put into post-receive. It starts the process and ends; nobody waits for the app.
const hook = `#!/bin/sh
set -e
unset GIT_DIR
git --git-dir=%[1]s.git --work-tree=%[1]s checkout -q -f main
cd %[1]s
npm ci --omit=dev --no-audit --no-fund --silent
if [ -e ../%[2]s.pid ]; then kill "$(cat ../%[2]s.pid)" || true; fi
PORT=%[3]d NODE_ENV=production setsid node server.js >../%[2]s.out 2>&1 </dev/null &
echo $! >../%[2]s.pid
`

// add makes the repository of an app.
func (p *plain) add(ctx context.Context, app string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	p.apps[app] = port
	tree := filepath.Join(p.dir, app)
	if err := p.b.command(ctx, "", "git", "init", "-q", "--bare", "-b", "main", tree+".git"); err != nil {
		return err
	}
	p.b.ends = append(p.b.ends, func() error { return p.kill(app) })
	return errors.Join(os.MkdirAll(tree, 0o755),
		os.WriteFile(tree+".git/hooks/post-receive", fmt.Appendf(nil, hook, tree, app, port), 0o755))
}

// kill ends the process of an app.
func (p *plain) kill(app string) error {
	text, err := os.ReadFile(filepath.Join(p.dir, app+".pid"))
	if err != nil {
		return nil //nolint:nilerr // nothing was deployed
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

func (p *plain) remote(repo string) string {
	return fmt.Sprintf("ssh://root@127.0.0.1:%d%s.git", p.port, filepath.Join(p.dir, repo))
}

func (p *plain) target(app string) target {
	return target{addr: "127.0.0.1:" + strconv.Itoa(p.apps[app])}
}
