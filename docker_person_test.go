package gitd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// person is somebody with a key and the programs git and ssh.
type person struct {
	t    *testing.T
	name string
	home string
}

func newPerson(t *testing.T, name string) *person {
	t.Helper()
	p := &person{t, name, t.TempDir()}
	p.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", p.key())
	return p
}

func (p *person) key() string { return filepath.Join(p.home, "id_ed25519") }

func (p *person) publicKey() string {
	p.t.Helper()
	key, err := os.ReadFile(p.key() + ".pub")
	if err != nil {
		p.t.Fatal(err)
	}
	return string(key)
}

// ssh is the ssh program and its options. The host key must be the one of the first connection, also after an upgrade.
func (p *person) ssh() []string {
	return []string{"ssh", "-i", p.key(), "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=accept-new",
		"-o", "UserKnownHostsFile=" + filepath.Join(p.home, "known_hosts"), "-o", "LogLevel=ERROR"}
}

// nodeos runs a command of gitd, over SSH.
func (p *person) nodeos(args ...string) string {
	p.t.Helper()
	ssh := append(p.ssh(), "-p", "2222", "nodeos@localhost")
	return p.run(ssh[0], append(ssh[1:], args...)...)
}

// push makes a repository of a folder and pushes it as an app.
func (p *person) push(folder, app string) {
	p.t.Helper()
	dir := filepath.Join(p.home, app)
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		p.t.Fatal(err)
	}
	p.run("git", "-C", dir, "init", "--quiet", "--initial-branch=main")
	p.run("git", "-C", dir, "add", ".")
	p.run("git", "-C", dir, "commit", "--quiet", "--message", "Sell things")
	p.run("git", "-C", dir, "remote", "add", "nodeos", "ssh://nodeos@localhost:2222/"+app)
	p.run("git", "-C", dir, "push", "--quiet", "nodeos", "main")
}

func (p *person) run(name string, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	ssh := ""
	for _, word := range p.ssh() {
		ssh += word + " "
	}
	cmd.Env = append(os.Environ(), "GIT_SSH_COMMAND="+ssh, "GIT_AUTHOR_NAME="+p.name, "GIT_AUTHOR_EMAIL="+p.name+"@example.org",
		"GIT_COMMITTER_NAME="+p.name, "GIT_COMMITTER_EMAIL="+p.name+"@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %s %q: %v\n%s", p.name, name, args, err, out)
	}
	return string(out)
}
