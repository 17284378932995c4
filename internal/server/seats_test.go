package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/people"
)

// talks are logs that go on until nobody reads them.
type talks struct{ talking }

func (talks) Follow(ctx context.Context, _ string, _ int) (<-chan core.Line, error) {
	out := make(chan core.Line)
	go func() {
		defer close(out)
		for {
			select {
			case out <- core.Line{Text: strings.Repeat("x", 1000)}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}

// crowded is a house with an app, a viewer of it, and few places for each user.
func crowded(t *testing.T, logs command.Logs) (h *house, viewer gossh.Signer) {
	t.Helper()
	h = open(t, func(c *Config) {
		c.SessionsOf, c.Services.Logs = 6, logs
		l, ok := c.Services.Ledger.(*ledger.Ledger)
		if !ok {
			t.Fatalf("the ledger is %T", c.Services.Ledger)
		}
		if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
	})
	viewer = signer(t)
	h.let("eve", viewer.PublicKey(), false)
	grantView(t, h, "eve")
	return h, viewer
}

func grantView(t *testing.T, h *house, user string) {
	t.Helper()
	if code := h.onHost(io.Discard, "users:grant", user, "shop", "view"); code != 0 {
		t.Fatalf("exit %d", code)
	}
}

// follows begins to follow a log and never reads on, or returns what the client is told. over waits for its end.
func follows(t *testing.T, c *gossh.Client) (over func(), err error) {
	t.Helper()
	s, err := c.NewSession()
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { s.Close() })
	out, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	told, err := s.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start("logs shop -t"); err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(out).ReadByte(); err == nil {
		return func() {
			s.Wait() //nolint:errcheck // how it ends does not matter
		}, nil
	}
	text, err := io.ReadAll(told)
	return nil, errors.Join(err, errors.New(string(text)))
}

// from is a connection from an address of loopback.
func (h *house) from(n byte, key gossh.Signer) (*gossh.Client, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, n)}}
	conn, err := d.Dial("tcp", h.addr)
	if err != nil {
		return nil, err
	}
	c, chans, reqs, err := gossh.NewClientConn(conn, h.addr, &gossh.ClientConfig{
		User: "nodeos", Auth: []gossh.AuthMethod{gossh.PublicKeys(key)}, HostKeyCallback: gossh.FixedHostKey(h.cfg.HostKey.PublicKey()),
	})
	if err != nil {
		return nil, err
	}
	client := gossh.NewClient(c, chans, reqs)
	h.t.Cleanup(func() { client.Close() })
	return client, nil
}

// TestOneUserTakesFewPlaces: a viewer with one key opens sessions without end, from many addresses. They get their
// share, and of it half for what goes on without end; with the rest they see what they have, and end it. Nobody else
// notices.
func TestOneUserTakesFewPlaces(t *testing.T) {
	h, eve := crowded(t, talks{})
	lin := signer(t)
	h.let("lin", lin.PublicKey(), false)
	grantView(t, h, "lin")
	var told string
	var ends []func()
	for n := range byte(8) {
		c, err := h.from(n, eve)
		if err != nil {
			t.Fatal(err)
		}
		if over, err := follows(t, c); err == nil {
			ends = append(ends, over)
		} else {
			told = err.Error()
		}
	}
	if len(ends) != 3 || !strings.Contains(told, "eve follows or runs 3 things already") || !strings.Contains(told, "`sessions:end ID` ends one") {
		t.Errorf("eve follows %d times, and is told %q", len(ends), told)
	}
	c := h.in(eve)
	list, err := output(t, c, "sessions")
	if err != nil || strings.Count(list, "logs shop") != 3 {
		t.Fatalf("%v: %s", err, list)
	}
	if _, err := follows(t, h.in(lin)); err != nil {
		t.Errorf("lin: %v", err)
	}
	if out, err := output(t, h.in(lin), "sessions:end 1"); err == nil || !strings.Contains(out, "none that is yours to end") {
		t.Errorf("lin ends eve's: %v, %s", err, out)
	}
	if out, err := output(t, c, "sessions:end --user eve"); err != nil || strings.Count(out, "ended: ") != 3 {
		t.Errorf("%v: %s", err, out)
	}
	for _, over := range ends {
		over() // its client takes nothing, so that it is cut
	}
	h.leave("eve")
	if _, err := follows(t, h.in(eve)); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

func (h *house) sessionsOf(user string) (ids []int) {
	for _, s := range h.Seats.List() {
		if s.Who == user {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// leave waits until a user has no session any more.
func (h *house) leave(user string) {
	h.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); len(h.sessionsOf(user)) > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			h.t.Fatalf("still there: %+v", h.Seats.List())
		}
	}
}

// TestConnectionsOfOneUser: whoever opens connections without end, each within the limits of its address, displaces
// their own.
func TestConnectionsOfOneUser(t *testing.T) {
	h, eve := crowded(t, talks{})
	var all []*gossh.Client
	for n := range byte(6 + reserve + 5) {
		c, err := h.from(n, eve)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	for i, c := range all {
		if i < 5 && !ends(c) {
			t.Errorf("connection %d stands", i)
		}
		if i >= 5 && !alive(c) {
			t.Errorf("connection %d was cut", i)
		}
	}
}

// TestChannelsOfOneUser: channels on which nothing is run count as well: each holds what its client sends.
func TestChannelsOfOneUser(t *testing.T) {
	h, eve := crowded(t, talks{})
	n := 0
	for a := range byte(4) {
		c, err := h.from(a, eve)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, _, err := c.OpenChannel("session", nil); err == nil {
				n++
			} else if !strings.Contains(err.Error(), "too many sessions of yours") {
				t.Errorf("%v", err)
			}
		}
	}
	if n != 6+reserve {
		t.Errorf("%d channels", n)
	}
}

// TestDeployKeyHasItsOwnPlaces: a deploy key does not take those of its owner.
func TestDeployKeyHasItsOwnPlaces(t *testing.T) {
	h, eve := crowded(t, talks{})
	ci := signer(t)
	k, err := people.NewKey("eve", ci.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	k.Limit = core.Limit{App: "shop", Role: core.RoleView}
	if _, err := h.people.AddKey(t.Context(), core.Host(), k, false); err != nil {
		t.Fatal(err)
	}
	for _, key := range []gossh.Signer{ci, eve} {
		c := h.in(key)
		for i := range 4 {
			if _, err := follows(t, c); (err == nil) != (i < 3) {
				t.Errorf("session %d: %v", i, err)
			}
		}
	}
	if out, err := output(t, h.in(ci), "sessions"); err != nil || strings.Count(out, "logs shop") != 3 {
		t.Errorf("%v: %s", err, out)
	}
}

// TestChannelThatCloses: what follows ends with its channel, though the connection stands, as ssh's own multiplexing
// leaves it; a quiet log would keep its place for ever.
func TestChannelThatCloses(t *testing.T) {
	h, eve := crowded(t, talking{})
	c := h.in(eve)
	for range 12 {
		s, err := c.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start("logs shop -t"); err != nil {
			t.Fatal(err)
		}
		s.Close()
		h.leave("eve")
	}
}

// TestAdministratorEndsSessions of anybody.
func TestAdministratorEndsSessions(t *testing.T) {
	h, eve := crowded(t, talks{})
	c := h.in(eve)
	over, err := follows(t, c)
	if err != nil {
		t.Fatal(err)
	}
	ids := h.sessionsOf("eve")
	var out strings.Builder
	if code := h.onHost(&out, "sessions:end", strconv.Itoa(ids[0])); code != 0 || !strings.Contains(out.String(), "logs shop of eve") {
		t.Errorf("exit %d: %s", code, out.String())
	}
	over()
	h.leave("eve")
}
