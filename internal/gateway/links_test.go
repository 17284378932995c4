package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/guestport"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// toDB is a link to an app db, that was called data before.
var toDB = core.LinkEnd{ID: 7, Names: []string{"db", "data"}}

// linked is a machine whose app is linked to db.
func linked(t *testing.T) *machine {
	t.Helper()
	return startConfig(t, Config{Port: appPort, Policy: core.Egress{Links: []core.LinkEnd{toDB}}})
}

// ask sends a question to the guest's DNS server and returns the answer.
func (m *machine) ask(name string, typ dnsmessage.Type) dnsmessage.Message {
	m.t.Helper()
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: typ, Class: dnsmessage.ClassINET}},
	}
	b, err := question.Pack()
	if err != nil {
		m.t.Fatal(err)
	}
	c, _ := m.dialUDP(dnsServer)
	deadline(m.t, c, 10*time.Second)
	if _, err := c.Write(b); err != nil {
		m.t.Fatal(err)
	}
	got := make([]byte, 1500)
	n, err := c.Read(got)
	if err != nil {
		m.t.Fatalf("%s: %v", name, err)
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(got[:n]); err != nil {
		m.t.Fatal(err)
	}
	if answer.ID != 4711 || !answer.Response || len(answer.Questions) != 1 || answer.Questions[0].Name.String() != name {
		m.t.Errorf("%s: answered with %+v", name, answer)
	}
	return answer
}

// TestLinkName: the name of a linked app, the one that it had before, and no other one.
func TestLinkName(t *testing.T) {
	m := linked(t)
	for _, name := range []string{"db.internal.", "DB.Internal.", "data.internal."} {
		a := m.ask(name, dnsmessage.TypeA)
		if len(a.Answers) != 1 || a.RCode != dnsmessage.RCodeSuccess {
			t.Fatalf("%s: %+v", name, a)
		}
		if body, is := a.Answers[0].Body.(*dnsmessage.AResource); !is || netip.AddrFrom4(body.A) != toDB.Addr() {
			t.Errorf("%s: %+v", name, a.Answers[0])
		}
	}
	if a := m.ask("db.internal.", dnsmessage.TypeAAAA); len(a.Answers) != 0 || a.RCode != dnsmessage.RCodeSuccess {
		t.Errorf("AAAA: %+v", a)
	}
	if a := m.ask("blog.internal.", dnsmessage.TypeA); a.RCode != dnsmessage.RCodeNameError {
		t.Errorf("an app that is not linked: %+v", a)
	}
	if r := m.nextRefused(); r.Proto != "dns" || r.App != "blog" {
		t.Errorf("told: %+v", r)
	}
}

// fulfil answers the next question with a connection, and returns its other end.
func (m *machine) fulfil() net.Conn {
	m.t.Helper()
	a := m.nextAsk()
	c, err := guestport.DialAsked(m.t.Context(), guestport.Door(m.app.String()), a.N)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *machine) nextAsk() wire.Ask {
	m.t.Helper()
	select {
	case a := <-m.asks:
		return a
	case <-time.After(10 * time.Second):
		m.t.Fatal("gitd was not asked")
		return wire.Ask{}
	}
}

// sayAll is say for a connection that has the means.
func sayAll(c net.Conn, b []byte) {
	say(c.(interface {
		io.Writer
		CloseWrite() error
	}), b)
}

// TestLink: a connection to a linked app is what gitd brings, with half-closes both ways; a link that is taken away
// cuts it at once, and its address is closed.
func TestLink(t *testing.T) {
	m := linked(t)
	to := netip.AddrPortFrom(toDB.Addr(), 5432)
	dial := func() <-chan net.Conn {
		dialled := make(chan net.Conn, 1)
		go func() {
			if c, err := m.dial(to); err == nil {
				dialled <- c
			}
			close(dialled)
		}()
		return dialled
	}
	dialled := dial()
	db := m.fulfil()
	c := <-dialled
	if c == nil {
		t.Fatal("not connected")
	}
	want := randomBytes(1 << 20)
	go sayAll(c, want)
	got, err := io.ReadAll(db)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	go sayAll(db, want)
	if got, err = io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes back, %v", len(got), err)
	}

	dialled = dial()
	m.fulfil()
	c = <-dialled
	if err := m.watch.SetPolicy(t.Context(), core.Egress{}); err != nil {
		t.Fatal(err)
	}
	deadline(t, c, 10*time.Second)
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection of a link that is gone ends with %v", err)
	}
	if _, err := m.dial(to); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the address of a link that is gone: %v", err)
	}
}

// TestLinkRefused: what gitd refuses is refused at once, and told with gitd's reason.
func TestLinkRefused(t *testing.T) {
	m := linked(t)
	refused := make(chan error, 1)
	go func() { _, err := m.dial(netip.AddrPortFrom(toDB.Addr(), 22)); refused <- err }()
	a := m.nextAsk()
	if a.Link != toDB.ID || a.Port != 22 {
		t.Errorf("asked for %+v", a)
	}
	if err := m.watch.Refuse(a.N, "offers no port 22"); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the guest sees %v", err)
	}
	if r := m.nextRefused(); r.App != "db" || r.Why != "offers no port 22" || r.Addr.Port() != 22 {
		t.Errorf("told: %+v", r)
	}
}

// TestPortDoor: gitd reaches each port of the guest at which something listens, and is told when nothing does.
func TestPortDoor(t *testing.T) {
	m := startMachine(t)
	go echo(m.listenApp())
	c, err := guestport.Dial(t.Context(), m.app.String(), appPort)
	if err != nil {
		t.Fatal(err)
	}
	go sayAll(c, []byte("hello"))
	if got, err := io.ReadAll(c); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := guestport.Dial(t.Context(), m.app.String(), appPort+1); !errors.Is(err, guestport.ErrNotListening) {
		t.Errorf("a port at which nobody listens: %v", err)
	}
}

// TestAttackLinks: what a guest without a link tries to reach another app's machines.
func TestAttackLinks(t *testing.T) {
	m := startMachine(t)
	for _, to := range []string{
		toDB.Addr().String() + ":5432", // the address that another app's machines have for it
		"198.18.0.1:80", "198.19.255.254:5432", "10.0.2.2:5432", "10.0.2.3:5432", "127.0.0.1:5432",
	} {
		if _, err := m.dial(netip.MustParseAddrPort(to)); err == nil {
			t.Errorf("%s is open", to)
		}
	}
	for _, name := range []string{"db.internal.", "x.db.internal.evil.", "*.internal."} {
		if strings.HasSuffix(name, ".internal.") {
			if a := m.ask(name, dnsmessage.TypeA); a.RCode != dnsmessage.RCodeNameError || len(a.Answers) != 0 {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
	c, err := guestport.DialAsked(t.Context(), guestport.Door(m.app.String()), 1) // brought, and not asked for
	if err != nil {
		t.Fatal(err)
	}
	deadline(t, c, 10*time.Second)
	if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v", n, err)
	}
	select {
	case a := <-m.asks:
		t.Errorf("gitd was asked for %+v", a)
	default:
	}
}

// TestAttackQuestions: a guest asks for names without end, and none of the world's servers hears of them.
func TestAttackQuestions(t *testing.T) {
	g := &gateway{refusals: wire.NewRefusals()}
	for i := range 1000 {
		name := dnsmessage.MustNewName(strings.Repeat("a", i%40+1) + ".internal.")
		q := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
		b, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if g.answerName(b) == nil {
			t.Fatalf("%s is not answered", name)
		}
	}
}

// FuzzName: whatever a guest asks, an answer is well formed, has its number, and is for a name of ours.
func FuzzName(f *testing.F) {
	q := dnsmessage.Message{Questions: []dnsmessage.Question{
		{Name: dnsmessage.MustNewName("db.internal."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
	}}
	if b, err := q.Pack(); err == nil {
		f.Add(b)
	}
	g := &gateway{refusals: wire.NewRefusals()}
	g.links.set([]core.LinkEnd{toDB})
	f.Fuzz(func(t *testing.T, question []byte) {
		b := g.answerName(question)
		if b == nil {
			return
		}
		var answer dnsmessage.Message
		if err := answer.Unpack(b); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b[:2], question[:2]) || !strings.HasSuffix(strings.ToLower(answer.Questions[0].Name.String()), ".internal.") {
			t.Errorf("%q is answered with %+v", question, answer)
		}
	})
}
