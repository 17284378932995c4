package syslog

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	gosyslog "github.com/leodido/go-syslog/v4"
	"github.com/leodido/go-syslog/v4/octetcounting"
	parser "github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/outbound"
	"github.com/nodeos-dev/gitd/internal/rfc5424"
)

// text is a log that is read while it is written.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// running is a Sender that runs on a real ledger, until stop is called.
type running struct {
	*Sender
	*ledger.Ledger
	log  *text
	stop func()
}

func start(t *testing.T, address string) *running {
	t.Helper()
	to, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), filepath.Join(t.TempDir(), "gitd.db"))
	if err != nil {
		t.Fatal(err)
	}
	log := &text{}
	r := &running{Sender: New(to, slog.New(slog.NewTextHandler(log, nil))), Ledger: l, log: log}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx, l, 0)
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		l.Close()
	})
	t.Cleanup(r.stop)
	return r
}

func (r *running) record(t *testing.T, detail string) {
	t.Helper()
	if err := r.Record(t.Context(), core.Entry{Time: time.Now(), App: "shop", Actor: "ada", Action: "config.read", Detail: detail}); err != nil {
		t.Fatal(err)
	}
}

// heard are the details of the messages that arrive on a stream.
func heard(conn net.Conn) <-chan string {
	all := make(chan string, 100_000)
	go func() {
		defer close(all)
		octetcounting.NewParser(gosyslog.WithListener(func(r *gosyslog.Result) {
			if m, ok := r.Message.(*parser.SyslogMessage); ok {
				all <- (*m.StructuredData)[rfc5424.Element][detail]
			}
		})).Parse(conn)
	}()
	return all
}

func expect(t *testing.T, from <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-from:
			if got != w {
				t.Errorf("heard %q, want %q", got, w)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%q was not heard", w)
		}
	}
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// TestTCP: entries and events arrive, also after the receiver has gone and come back, and what gitd notes at its end.
func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, "tcp://"+l.Addr().String())
	r.record(t, "one")
	first := accept(t, l)
	expect(t, heard(first), "one")
	first.Close()
	l.Close()
	// What is written just when the receiver goes may be lost, as with every syslog over TCP.
	for !strings.Contains(r.log.String(), "trying again") {
		r.Event(audit.Event{Time: time.Now(), Action: "login", Result: audit.OK, Detail: "meanwhile"})
		outbound.Pause(t.Context(), time.Millisecond)
	}
	r.record(t, "two")
	if l, err = net.Listen("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	again := heard(accept(t, l))
	for got := range again {
		if got == "two" {
			break
		}
		if got != "meanwhile" {
			t.Fatalf("heard %q", got)
		}
	}
	r.record(t, "last")
	r.stop()
	expect(t, again, "last")
}

// TestDatagrams: by UDP, and by a socket such as /dev/log.
func TestDatagrams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for network, address := range map[string]string{"udp": "127.0.0.1:0", "unixgram": path} {
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			t.Fatal(err)
		}
		to := "unix://" + path
		if network == "udp" {
			to = "udp://" + conn.LocalAddr().String()
		}
		r := start(t, to)
		r.record(t, "a\nb")
		buf := make([]byte, 4096)
		if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got := (*read(t, buf[:n]).StructuredData)[rfc5424.Element]; got[detail] != "a b" || got["id"] != "1" {
			t.Errorf("%s: %v", network, got)
		}
		r.stop()
		conn.Close()
	}
}

// TestReceiverThatTakesNothing: a receiver that never reads, or a flood of bad logins, makes nobody wait. What is
// dropped is counted, in the log and for the receiver; the entries of the audit are not among it.
func TestReceiverThatTakesNothing(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := start(t, "tcp://"+l.Addr().String())
	r.record(t, "first")
	conn := accept(t, l)
	for !strings.Contains(r.log.String(), "too many wait") {
		r.Event(audit.Event{Time: time.Now(), Action: "login", Result: audit.Refused, Detail: strings.Repeat("x", maxDetail)})
	}
	r.record(t, "second")
	var words []string
	for got := range heard(conn) {
		if got == "second" || strings.HasSuffix(got, "events were not sent") {
			words = append(words, got)
		}
		if len(words) == 2 {
			break
		}
	}
	if len(words) != 2 || !strings.Contains(r.log.String(), "events were not sent to syslog") {
		t.Errorf("%q, and the log says %s", words, r.log.String())
	}
}

func TestParseAddress(t *testing.T) {
	for s, want := range map[string]string{
		"udp://192.0.2.1:5514": "udp://192.0.2.1:5514", "tcp://logs.example.org": "tcp://logs.example.org:514",
		"udp://[2001:db8::1]": "udp://[2001:db8::1]:514", "unix:///dev/log": "unix:///dev/log",
		"": "", "logs:514": "", "udp://": "", "tcp://host:0": "", "tcp://host:x": "", "tcp://host:70000": "", "udp://host/path": "",
		"unix://dev/log": "", "unix:dev/log": "", "tls://host": "", "udp://u:p@host": "", "udp://host?x=1": "",
	} {
		a, err := ParseAddress(s)
		if (err == nil) != (want != "") || err == nil && a.String() != want {
			t.Errorf("%q: %v, %v", s, a, err)
		}
	}
}
