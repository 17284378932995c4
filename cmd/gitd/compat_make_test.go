package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// compatApp is one application, and how its repository is made.
type compatApp struct {
	name string
	// made is what a person types in an empty folder. The first word says who runs it:
	//   npx PACKAGE@VERSION ARGS…  a generator, which writes the folder "app"
	//   app PACKAGE@VERSION… -- START  a package.json with these dependencies and this start script
	//   files                      nothing but files: those below, or those of testdata/compat/NAME
	made  string
	files map[string]string // written over what was made: with "app", the application as its manual shows it
	get   string            // the path that is asked for
	want  string            // stands in the answer
	lacks string            // why it cannot be live, by what git shows; "": it must be
}

// compatMaker makes repositories, and keeps them for the next run.
type compatMaker struct {
	kept      string // folder
	node, npm string // unpacked packages
}

func newCompatMaker(t *testing.T, r *rig) compatMaker {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	m := compatMaker{kept: filepath.Join(cache, "gitd-test", "compat")}
	if err := os.MkdirAll(m.kept, 0o755); err != nil {
		t.Fatal(err)
	}
	for pattern, to := range map[string]*string{"node-linux-*/22.*": &m.node, "npm/1*": &m.npm} {
		found, err := filepath.Glob(filepath.Join(r.state, "cache/npm", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("no %s in the cache of the warm base: %v", pattern, err)
		}
		*to = found[len(found)-1]
	}
	return m
}

// make returns the folder of an application's files.
func (m compatMaker) make(t *testing.T, app compatApp) (string, error) {
	t.Helper()
	sum := sha256.Sum256([]byte(app.made))
	dir := filepath.Join(m.kept, app.name+"-"+hex.EncodeToString(sum[:4]))
	if _, err := os.Stat(dir); err != nil {
		work := t.TempDir()
		if err := m.run(work, strings.Fields(app.made)); err != nil {
			return "", err
		}
		made := filepath.Join(work, "app")
		for _, leftover := range []string{".git", "node_modules"} {
			if err := os.RemoveAll(filepath.Join(made, leftover)); err != nil {
				return "", err
			}
		}
		if out, err := exec.Command("cp", "-a", made, dir).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
	}
	return m.withFiles(t, dir, app)
}

// withFiles returns a copy of dir with an application's further files.
func (m compatMaker) withFiles(t *testing.T, dir string, app compatApp) (string, error) {
	t.Helper()
	whole := filepath.Join(t.TempDir(), "app")
	if err := os.CopyFS(whole, os.DirFS(dir)); err != nil {
		return "", err
	}
	if kept := os.DirFS(filepath.Join("testdata/compat", app.name)); app.made == "files" && app.files == nil {
		return whole, os.CopyFS(whole, kept)
	}
	for name, text := range app.files {
		path := filepath.Join(whole, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return whole, nil
}

func (m compatMaker) run(work string, words []string) error {
	switch words[0] {
	case "npx":
		return m.inside(work, append([]string{"npx", "--yes"}, words[1:]...)...)
	case "files":
		return os.Mkdir(filepath.Join(work, "app"), 0o755)
	case "app":
		packages, start, _ := strings.Cut(strings.Join(words[1:], " "), " -- ")
		return appOf(filepath.Join(work, "app"), strings.Fields(packages), start)
	}
	return fmt.Errorf("%q: npx, app or files?", words[0])
}

// inside runs a command in work, with Node and npm, behind walls: generators are programs of strangers.
func (m compatMaker) inside(work string, args ...string) error {
	const npm = "#!/bin/sh\nexec node /opt/npm/bin/%s-cli.js \"$@\"\n"
	tools, err := os.MkdirTemp("", "gitd-compat")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tools)
	for _, name := range []string{"npm", "npx"} {
		if err := os.WriteFile(filepath.Join(tools, name), fmt.Appendf(nil, npm, name), 0o755); err != nil {
			return err
		}
	}
	wall := []string{"--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
		"--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/root",
		"--ro-bind", m.node, "/opt/node", "--ro-bind", m.npm, "/opt/npm", "--ro-bind", tools, "/opt/bin", "--bind", work, "/work",
		"--chdir", "/work", "--unshare-pid", "--die-with-parent", "--new-session", "--"}
	limit, cancel := context.WithTimeout(context.Background(), 3*time.Minute) // one of them asks a question
	defer cancel()
	cmd := exec.CommandContext(limit, "bwrap", append(wall, args...)...)
	cmd.Env = []string{"PATH=/opt/bin:/opt/node/bin:/usr/bin:/bin", "HOME=/root", "CI=1", "NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt", "npm_config_update_notifier=false",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.org"}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(strings.ToLower(v), "=")
		if name == "npm_config_registry" || strings.HasSuffix(name, "_proxy") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w\n%s", args, err, out)
	}
	return nil
}

// appOf writes a package.json with dependencies and a start script.
func appOf(dir string, packages []string, start string) error {
	dependencies := map[string]string{}
	for _, p := range packages {
		i := strings.LastIndex(p, "@")
		dependencies[p[:i]] = p[i+1:]
	}
	text, err := json.MarshalIndent(map[string]any{
		"name": "app", "version": "1.0.0", "private": true, "dependencies": dependencies,
		"scripts": map[string]string{"start": start},
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "package.json"), text, 0o644)
}
