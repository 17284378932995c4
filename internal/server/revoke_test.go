package server

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
)

// deaf is an output that nobody takes.
type deaf struct{}

func (deaf) Write([]byte) (int, error) { return 0, errors.New("nobody takes this") }

// onHost runs a command as the host's socket does, and returns its exit code.
func (h *house) onHost(out io.Writer, words ...string) int {
	return cli.Run(h.t.Context(), h.cfg.Services, command.Caller{
		Actor: core.Host(), In: strings.NewReader(""), Out: out, Err: out, Door: command.Door{Host: "h", Port: "22"},
	}, words)
}

// TestRevocationIsNeverSkipped: whatever takes a right ends the sessions that
// began with it, although the one who took it cannot be answered. It did not
// once: the door was told only after the answer had been written.
func TestRevocationIsNeverSkipped(t *testing.T) {
	for _, line := range []string{
		"users:remove sam", "users:revoke sam shop", "users:rename sam samuel", "users:grant sam shop view", "keys:remove sam",
	} {
		t.Run(line, func(t *testing.T) {
			h := open(t, nil)
			ada, sam := signer(t), signer(t)
			h.let("ada", ada.PublicKey(), true)
			h.let("sam", sam.PublicKey(), false)
			if code := h.onHost(&bytes.Buffer{}, "users:grant", "sam", "shop", "deploy"); code != 0 {
				t.Fatalf("exit %d", code)
			}
			his, hers := h.in(sam), h.in(ada)
			for _, c := range []*gossh.Client{his, hers} {
				if _, err := output(t, c, "version"); err != nil {
					t.Fatal(err)
				}
			}
			if code := h.onHost(deaf{}, strings.Fields(line)...); code == 0 {
				t.Error("an answer that was not written is no failure")
			}
			if alive(his) {
				t.Error("sam's session goes on")
			}
			if !alive(hers) {
				t.Error("ada's session ended too")
			}
		})
	}
}

// TestLimitedKeyEndsSessions: a key that gets a limit is worth less than what
// its sessions began with.
func TestLimitedKeyEndsSessions(t *testing.T) {
	h := open(t, nil)
	sam := signer(t)
	h.let("ada", signer(t).PublicKey(), true)
	k := h.let("sam", sam.PublicKey(), true)
	c := h.in(sam)
	if _, err := output(t, c, "version"); err != nil {
		t.Fatal(err)
	}
	k.Limit = core.Limit{App: "shop", Role: core.RoleDeploy}
	if _, err := h.people.AddKey(t.Context(), core.Host(), k, false); err != nil {
		t.Fatal(err)
	}
	if alive(c) {
		t.Error("the session goes on")
	}
}

// TestOwnEndIsAnswered: who takes their own right is told so, and then their
// connection ends.
func TestOwnEndIsAnswered(t *testing.T) {
	h := open(t, nil)
	sam := signer(t)
	k := h.let("sam", sam.PublicKey(), false)
	here, there := h.in(sam), h.in(sam)
	if out, err := output(t, here, "keys:remove sam"); err != nil || out != "sam may no longer log in with "+k.Fingerprint+"\n" {
		t.Errorf("%q, %v", out, err)
	}
	if !ends(here) || !ends(there) {
		t.Error("a connection of the removed key goes on")
	}
}

// TestOwnEndIsNoError: the client that took its own right says goodbye as ever. Once, the connection was closed as soon
// as the answer was written, and OpenSSH, whose goodbye met that, exited with 255 now and then.
func TestOwnEndIsNoError(t *testing.T) {
	h := open(t, nil)
	sam := signer(t)
	h.let("sam", sam.PublicKey(), false)
	c := h.in(sam)
	if _, err := output(t, c, "keys:remove sam"); err != nil {
		t.Fatal(err)
	}
	if !alive(c) {
		t.Error("the connection was closed before its client had left")
	}
}

// TestOwnEndWithoutAnswer: it ends as well when the answer reaches nobody.
func TestOwnEndWithoutAnswer(t *testing.T) {
	h := open(t, nil)
	sam := signer(t)
	h.let("sam", sam.PublicKey(), false)
	c := h.in(sam)
	s, err := c.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("keys:remove sam"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if !ends(c) {
		t.Error("the connection goes on")
	}
	if keys, err := h.people.Keys(t.Context()); err != nil || len(keys) > 0 {
		t.Errorf("keys: %+v, %v", keys, err)
	}
}

// TestNoChangeWithoutItsEntry: when the audit cannot be written, the user
// stays, with everything that runs, and the one who asked is told so. Once,
// the user was gone, the command failed, and their sessions went on.
func TestNoChangeWithoutItsEntry(t *testing.T) {
	h := open(t, nil)
	sam := signer(t)
	h.let("ada", signer(t).PublicKey(), true)
	h.let("sam", sam.PublicKey(), false)
	c := h.in(sam)
	if _, err := output(t, c, "version"); err != nil {
		t.Fatal(err)
	}
	fullAudit(t, h.path)
	for _, line := range []string{"users:remove sam", "keys:remove sam", "users:rename sam samuel", "users:grant sam shop view"} {
		var out bytes.Buffer
		if code := h.onHost(&out, strings.Fields(line)...); code != 1 || !strings.Contains(out.String(), "nothing was changed: ") {
			t.Errorf("%s: exit %d, %q", line, code, out.String())
		}
	}
	u, err := h.people.User(t.Context(), "sam")
	if err != nil || len(u.Grants) > 0 {
		t.Errorf("sam: %+v, %v", u, err)
	}
	if !alive(c) {
		t.Error("a change that was not made ended a session")
	}
}

// fullAudit makes the ledger at path refuse every entry of the audit.
func fullAudit(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const trigger = `CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'the audit is full'); END`
	if _, err := db.ExecContext(t.Context(), trigger); err != nil {
		t.Fatal(err)
	}
}

// TestRecheckFailsClosed: who cannot be looked up may do nothing.
func TestRecheckFailsClosed(t *testing.T) {
	h := open(t, nil)
	ada := signer(t)
	h.let("ada", ada.PublicKey(), true)
	c := h.in(ada)
	if _, err := output(t, c, "version"); err != nil {
		t.Fatal(err)
	}
	h.cfg.Services.People.Directory = unreadable{}
	h.Recheck(context.Background())
	if alive(c) {
		t.Error("the session goes on")
	}
}

// unreadable is a ledger that cannot be read.
type unreadable struct{ people.Directory }

func (unreadable) Key(context.Context, string) (people.Key, error) {
	return people.Key{}, errors.New("unreadable")
}
