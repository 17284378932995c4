package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// column is what every client is asked to do, in the order in which it is asked.
type column struct {
	id, title, what string
	// judge returns "yes" or what went wrong; err is how the line ended.
	judge func(v *visit, out string, err error) string
}

var columns = []column{
	{"commands", "commands", "`help` over SSH", (*visit).saysHelp},
	{"push", "first push", "the app is made, and answers", serves("first")},
	{"progress", "progress", "the person sees each step while it happens", nil}, // judged from the first push
	{"again", "second push", "the new release answers", serves("second")},
	{"refused", "refusal", "a branch that does not deploy: the person reads the reason, and the exit code says so", (*visit).refused},
	{"tags", "tags", "tags pushed together are stored, and listed", (*visit).storesTags},
	{"tags2", "tags again", "nothing is new, and nothing is wrong", (*visit).findsTags},
	{"option", "`-o`", "a push option is answered", says("means nothing here")},
	{"archive", "archive", "`git archive --remote` is told what is there instead", says("archives are not made here")},
	{"clone", "clone", "what is live", (*visit).clones},
	{"shallow", "shallow push", "from a clone of depth 1", serves("shallow")},
	{"rollback", "rollback", "an older tag, alone: its image answers again", serves("first")},
	{"delete", "delete a tag", "it is listed no more", (*visit).deletesTag},
}

// visit is one client at gitd.
type visit struct {
	*testing.T
	rig         *rig
	fingerprint string // of gitd's first host key
	client      client
	app         string
	home        string
	cells       map[string]string // by column
	notes       map[string]string // likewise, of what is not "yes"
}

// lineLimit is how long one line of a client may take; a push waits for its boot.
const lineLimit = 5 * time.Minute

// enter runs what a person would type, in the client's own Debian.
func (v *visit) enter(lines ...string) (string, error) {
	v.Helper()
	ctx, cancel := context.WithTimeout(v.Context(), lineLimit)
	defer cancel()
	script := strings.Join(append(append([]string{}, v.client.before...), lines...), "\n")
	const home = "/home/sam"
	cmd := exec.CommandContext(ctx, "bwrap", "--ro-bind", v.client.debian.root(v.T), "/",
		"--ro-bind", v.home+".passwd", "/etc/passwd", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
		"--tmpfs", "/home", "--bind", v.home, home, "--chdir", home+"/shop", "--unshare-pid", "--die-with-parent",
		"--new-session", "--", "sh", "-c", v.fill(script))
	cmd.Env = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "LANG=C.UTF-8", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=Sam", "GIT_AUTHOR_EMAIL=sam@example.org",
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// fill puts this gitd's address into a line of the page.
func (v *visit) fill(line string) string {
	host, port, _ := strings.Cut(v.rig.ssh, ":")
	return strings.NewReplacer("HOST:2222/shop", host+":"+port+"/"+v.app, "HOST", host, "2222", port,
		"FINGERPRINT", v.fingerprint).Replace(line)
}

// run asks everything.
func (v *visit) run() {
	if len(v.client.ed25519) > 0 {
		out, err := v.enter(v.client.ed25519...)
		v.note("key", out, err, "no")
	}
	if out, err := v.enter(v.client.once...); err != nil {
		v.Fatalf("%v\n%s", err, out)
	}
	v.admit("id_ecdsa.pub")
	for _, c := range columns {
		line := v.client.lines[c.id]
		if c.judge == nil {
			continue
		}
		if line == "" {
			v.cells[c.id] = "-"
			continue
		}
		v.prepare(c.id)
		start := time.Now()
		out, err := v.enter(line)
		v.Logf("%s, %s: %s\n%s%v", c.id, time.Since(start).Round(time.Millisecond), line, out, err)
		v.note(c.id, out, err, c.judge(v, out, err))
		if c.id == "push" {
			v.note("progress", out, err, says("-----> Booting v1")(v, out, nil))
		}
	}
	if v.client.lines["push"] == "" {
		v.cells["progress"] = "-"
	}
	v.login()
}

// prepare does what the person does between two lines.
func (v *visit) prepare(id string) {
	switch id {
	case "again":
		v.change("shop", "second")
		v.git("shop", "tag", "v2")
		v.git("shop", "branch", "other")
	case "shallow":
		v.git("", "clone", "-q", "--depth", "1", "file://"+v.home+"/shop", "shallow")
		v.git("shallow", "remote", "add", "nodeos", "ssh://nodeos@"+v.rig.ssh+"/"+v.app)
		v.change("shallow", "shallow")
	}
}

func (v *visit) change(dir, text string) {
	file := filepath.Join(v.home, dir, "server.js")
	old, err := os.ReadFile(file)
	if err != nil {
		v.Fatal(err)
	}
	text = regexp.MustCompile("Hello from [a-zA-Z]+").ReplaceAllString(string(old), "Hello from "+text)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		v.Fatal(err)
	}
	v.git(dir, "commit", "-qam", "change")
}

// git is the host's.
func (v *visit) git(dir string, args ...string) string {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = filepath.Join(v.home, dir), v.rig.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		v.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// note fills a cell; what is not "yes" gets a footnote.
func (v *visit) note(id, out string, err error, cell string) {
	v.cells[id] = cell
	if cell == "yes" {
		return
	}
	said := lastLine(out)
	if said == "" && err != nil {
		said = err.Error()
	}
	v.notes[id] = said
}

// lastLine is what a client says in the end, without what differs from run to run.
func lastLine(out string) string {
	last := ""
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "at ") && !strings.HasPrefix(line, "...") {
			last = line
		}
	}
	return regexp.MustCompile(`[0-9a-f]{40}|\[B@[0-9a-f]+|127\.0\.0\.1:\d+`).ReplaceAllString(last, "…")
}

func says(text string) func(*visit, string, error) string {
	return func(_ *visit, out string, _ error) string {
		if strings.Contains(out, text) {
			return "yes"
		}
		return "no"
	}
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "no"
}

func (v *visit) saysHelp(out string, err error) string {
	return yes(err == nil && strings.Contains(out, "apps:create"))
}

// serves judges a push by what the app says afterwards.
func serves(text string) func(*visit, string, error) string {
	return func(v *visit, _ string, err error) string {
		_, body, bad := v.rig.get(v.rig.client(false), v.app, "/")
		return yes(err == nil && bad == nil && strings.HasPrefix(body, "Hello from "+text+"\n"))
	}
}

func (v *visit) refused(out string, err error) string {
	if !strings.Contains(out, "only main deploys here; to deploy this branch: git push REMOTE <local>:main") {
		return "no"
	}
	if err == nil {
		return "yes, but ends with 0"
	}
	return "yes"
}

func (v *visit) storesTags(_ string, err error) string {
	list, bad := v.enter(v.client.list)
	v.Logf("%s\n%s%v", v.client.list, list, bad)
	return yes(err == nil && bad == nil && strings.Contains(list, "refs/tags/v1") && strings.Contains(list, "refs/tags/v2"))
}

func (v *visit) findsTags(out string, err error) string {
	return yes(err == nil && !regexp.MustCompile(`(?i)new tag|reject|diverged|fail`).MatchString(out))
}

func (v *visit) clones(_ string, err error) string {
	want, _ := os.ReadFile(filepath.Join(v.home, "shop", "server.js"))
	got, bad := os.ReadFile(filepath.Join(v.home, "copy", "server.js"))
	return yes(err == nil && bad == nil && bytes.Equal(got, want))
}

func (v *visit) deletesTag(_ string, _ error) string {
	return yes(!strings.Contains(v.git("shop", "ls-remote", "nodeos"), "refs/tags/v2"))
}

// login reads from gitd's log how the client has logged in.
func (v *visit) login() {
	var host, key string
	for _, line := range v.rig.last(1 << 20) {
		var l struct {
			Message, Who, Key string
			HostKey           string `json:"host_key"`
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Message == "session began" && l.Who == v.app {
			host, key = l.HostKey, l.Key
		}
	}
	v.cells["hostkey"] = host
	if _, tried := v.cells["key"]; !tried {
		v.cells["key"] = yes(key == "ssh-ed25519")
	}
}

// admit lets a key of the client in, if it has made that one.
func (v *visit) admit(name string) {
	key, err := os.Open(filepath.Join(v.home, ".ssh", name))
	if err != nil {
		return
	}
	defer key.Close()
	cmd := exec.Command(v.rig.program, "keys:add", v.app, "--admin")
	cmd.Env, cmd.Stdin = []string{"PATH=" + os.Getenv("PATH"), "GITD_STATE=" + v.rig.state}, key
	if out, err := cmd.CombinedOutput(); err != nil {
		v.Fatalf("keys:add: %v\n%s", err, out)
	}
}

// newVisit makes the home of a person with this client: a key, a working copy, and the programs that use a library.
func newVisit(t *testing.T, r *rig, n int, c client, gogit string) *visit {
	t.Helper()
	app := fmt.Sprintf("shop%d", n)
	v := &visit{
		T: t, rig: r, fingerprint: regexp.MustCompile(`SHA256:\S+`).FindString(r.gitd("status")),
		client: c, app: app, home: filepath.Join(r.work, app), cells: map[string]string{}, notes: map[string]string{},
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(os.MkdirAll(filepath.Join(v.home, ".ssh"), 0o700))
	check(keygen(filepath.Join(v.home, ".ssh"), "id_ed25519"))
	check(os.WriteFile(filepath.Join(v.home, ".ssh", "config"), []byte("StrictHostKeyChecking accept-new\n"), 0o600))
	check(os.WriteFile(v.home+".passwd", fmt.Appendf(nil, "sam:x:%d:%d::/home/sam:/bin/sh\n", os.Getuid(), os.Getgid()), 0o644))
	check(os.CopyFS(filepath.Join(v.home, "shop"), os.DirFS(filepath.Join("..", "..", "templates", "apps", "hello"))))
	for _, file := range []string{gogit, "testdata/clients/libgit2.py", "testdata/clients/paramiko_git.py"} {
		text, err := os.ReadFile(file)
		check(err)
		check(os.WriteFile(filepath.Join(v.home, filepath.Base(file)), text, 0o755))
	}
	v.git("shop", "init", "-q", "-b", "main")
	v.git("shop", "remote", "add", "nodeos", "ssh://nodeos@"+r.ssh+"/"+app)
	v.git("shop", "add", ".")
	v.change("shop", "first")
	v.git("shop", "tag", "v1")
	v.admit("id_ed25519.pub")
	return v
}
