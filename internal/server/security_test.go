package server

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// TestSecurityLog: who came, from where, for what, and what became of it: each login, and each command that its caller
// may not run. It holds no argument that could be a secret, and nobody writes a line of it.
func TestSecurityLog(t *testing.T) {
	var text syncedText
	h := open(t, func(c *Config) { c.Log = zerolog.New(&text).Level(zerolog.InfoLevel) })
	sam := signer(t)
	h.let("sam", sam.PublicKey(), false)
	conn, err := net.Dial("tcp", h.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, chans, reqs, err := gossh.NewClientConn(conn, h.addr, &gossh.ClientConfig{
		User: `root","result":"ok`, Auth: []gossh.AuthMethod{gossh.PublicKeys(sam)}, ClientVersion: `SSH-2.0-x","who":"ada`,
		HostKeyCallback: gossh.FixedHostKey(h.cfg.HostKey.PublicKey()),
	})
	if err != nil {
		t.Fatal(err)
	}
	client := gossh.NewClient(c, chans, reqs)
	defer client.Close()
	for _, line := range []string{"users:invite eve", "config:set shop TOKEN=s3cret", "git-receive-pack 'shop'", "git-upload-pack '../x'", "logs shop"} {
		if _, err := output(t, client, line); err == nil {
			t.Errorf("%s: sam may", line)
		}
	}
	type event struct{ Message, Level, Event, Result, Who, From, App, What string }
	var said []event
	for line := range strings.Lines(text.String()) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if e.Message == "security" {
			said = append(said, e)
		}
	}
	from := conn.LocalAddr().String()
	want := []event{
		{"security", "info", "login", "ok", "sam", from, "", "ssh-ed25519 " + gossh.FingerprintSHA256(sam.PublicKey()) + `, client "SSH-2.0-x\",\"who\":\"ada"`},
		{"security", "info", "command", "refused", "sam", from, "", "users:invite: only an administrator"},
		{"security", "info", "command", "refused", "sam", from, "shop", `config:set shop: there is no app "shop"`},
		{"security", "info", "git", "refused", "sam", from, "shop", `git-receive-pack shop: there is no app "shop"`},
		{"security", "info", "git", "refused", "sam", from, "", "git-upload-pack: invalid app name"},
		{"security", "info", "command", "refused", "sam", from, "shop", `logs shop: there is no app "shop"`},
	}
	for i, e := range said {
		if i >= len(want) || !strings.HasPrefix(e.What, want[i].What) {
			t.Errorf("%d: %+v", i, e)
			continue
		}
		if e.What = want[i].What; e != want[i] {
			t.Errorf("%+v, want %+v", e, want[i])
		}
	}
	if len(said) != len(want) || strings.Contains(text.String(), "s3cret") {
		t.Errorf("%d events: %s", len(said), text.String())
	}
}

// follow begins `events --follow` and returns its lines; they end with the session.
func (h *house) follow(c *gossh.Client, line string) (entries <-chan string, told func() string) {
	h.t.Helper()
	s, err := c.NewSession()
	if err != nil {
		h.t.Fatal(err)
	}
	out, err := s.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	errs, err := s.StderrPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := s.Start(line); err != nil {
		h.t.Fatal(err)
	}
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	return lines, func() string {
		text, err := io.ReadAll(errs)
		if err != nil {
			h.t.Error(err)
		}
		return string(text)
	}
}

func (h *house) record(app, action, detail string) {
	h.t.Helper()
	l, ok := h.cfg.Services.Ledger.(*ledger.Ledger)
	if !ok {
		h.t.Fatalf("the ledger is %T", h.cfg.Services.Ledger)
	}
	if err := l.Record(h.t.Context(), core.Entry{Time: time.Now(), App: app, Actor: "gitd", Action: action, Detail: detail}); err != nil {
		h.t.Fatal(err)
	}
}

func next(t *testing.T, lines <-chan string, part string) {
	t.Helper()
	select {
	case l, ok := <-lines:
		if !ok || !strings.Contains(l, part) {
			t.Errorf("%q (%v) lacks %q", l, ok, part)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("nothing says %q", part)
	}
}

// TestEventsFollow: a viewer sees the entries of their app as they are recorded, and none of others, as an object a
// line, until the role is taken. Not one of those that come after that is seen.
func TestEventsFollow(t *testing.T) {
	h, eve := crowded(t, talks{})
	h.record("shop", "test.old", "")
	lines, _ := h.follow(h.in(eve), "events --json --follow -n 1")
	next(t, lines, `"action":"test.old"`)
	h.record("blog", "test.secret", "")
	h.record("", "test.secret", "")
	h.record("shop", "test.new", "a\n{\"id\":1}")
	next(t, lines, `"action":"test.new","app":"shop","detail":"a\n{\"id\":1}"}`)
	if code := h.onHost(io.Discard, "users:revoke", "eve", "shop"); code != 0 {
		t.Fatalf("exit %d", code)
	}
	h.record("shop", "test.late", "")
	for l := range lines {
		t.Errorf("seen after the role was taken: %s", l)
	}
}

// TestEventsFollowAll: an administrator sees all entries, from the one after which their last export ended.
func TestEventsFollowAll(t *testing.T) {
	h, _ := crowded(t, talks{})
	ada := signer(t)
	h.let("ada", ada.PublicKey(), true)
	h.record("", "test.one", "")
	h.record("shop", "test.two", "")
	list, err := output(t, h.in(ada), "events --json -n 2")
	if err != nil {
		t.Fatal(err)
	}
	var newest struct{ ID json.Number }
	if err := json.NewDecoder(strings.NewReader(list)).Decode(&newest); err != nil || strings.Count(list, "\n") != 2 {
		t.Fatalf("%v: %s", err, list)
	}
	h.record("", "test.three", "")
	lines, told := h.follow(h.in(ada), "events --follow --after "+newest.ID.String())
	next(t, lines, "test.three")
	h.record("shop", "test.four", "")
	next(t, lines, "gitd  test.four  shop  -")
	if code := h.onHost(io.Discard, "sessions:end", "--user", "ada"); code != 0 {
		t.Errorf("exit %d", code)
	}
	for l := range lines {
		t.Errorf("after its end: %s", l)
	}
	if text := told(); !strings.Contains(text, "was ended with sessions:end") {
		t.Errorf("the client is told %q", text)
	}
	for deadline := time.Now().Add(20 * time.Second); len(h.Seats.List()) > 0 && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if l := h.Seats.List(); len(l) > 0 {
		t.Errorf("left: %+v", l)
	}
}
