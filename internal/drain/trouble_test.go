package drain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

// TestReceiverIsBack: what a receiver does not take waits, in the files; when it takes lines again, it gets them all,
// in their order, and knows nothing of the trouble. A new gitd goes on where the old one was.
func TestReceiverIsBack(t *testing.T) {
	for name, trouble := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no disk", http.StatusInternalServerError) },
		"429": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "0")
			http.Error(w, "slowly", http.StatusTooManyRequests)
		},
		"401": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who?", http.StatusUnauthorized) },
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
		"closes": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			in := newInbox()
			var bad atomic.Bool
			bad.Store(true)
			r := newRig(t, "127.0.0.1")
			s := r.serveTLS(func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path != "/" {
					t.Errorf("the redirect was followed to %s", req.URL)
				}
				if bad.Load() {
					trouble(w, req)
					return
				}
				takeJSON(t, req, in)
			})
			r.add("shop", s.URL)
			r.says("shop", 1, 100, 0)
			s1 := r.state("failing", func(s State) bool { return s.Error != "" && s.Behind == 100 })
			if s1.Up || s1.Sent != 0 || s1.Dropped != 0 {
				t.Errorf("%+v", s1)
			}
			r.end(0)
			r.begin()
			r.says("shop", 101, 101, 0)
			bad.Store(false)
			same(t, in.wait(t, 101), want(1, 101))
			r.state("up", func(s State) bool { return s.Up && s.Sent == 101 && s.Behind == 0 })
		})
	}
}

// TestSyslogIsBack: a receiver of syslog that is restarted gets what was said meanwhile.
func TestSyslogIsBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, "127.0.0.1")
	r.add("shop", "syslog+tcp://"+l.Addr().String())
	r.says("shop", 1, 1, 0)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 40)); err != nil {
		t.Fatal(err)
	}
	r.state("sent", func(s State) bool { return s.Sent == 1 })
	conn.Close()
	l.Close()
	r.says("shop", 2, 2, 0)
	r.state("failing", func(s State) bool { return s.Error != "" && s.Behind == 1 })
	again, err := net.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in := newInbox()
	syslogd(t, again, in)
	same(t, in.wait(t, 1), want(2, 2))
}

// TestRefusedLines: lines that a receiver will never take are dropped and counted, those of other apps are not, and it
// is told.
func TestRefusedLines(t *testing.T) {
	in := newInbox()
	r := newRig(t, "127.0.0.1")
	s := r.serveTLS(func(w http.ResponseWriter, req *http.Request) {
		body := unpacked(t, req)
		if strings.Contains(string(body), "line 666") {
			http.Error(w, "evil", http.StatusBadRequest)
			return
		}
		in.put(string(body))
	})
	r.add("", s.URL)
	r.says("blog", 1, 1, 0)
	r.says("shop", 666, 666, 0)
	r.state("dropped", func(s State) bool { return s.Dropped == 1 && s.Sent == 1 && s.Behind == 0 })
	r.says("shop", 2, 2, 0)
	r.state("sent", func(s State) bool { return s.Sent == 2 })
	all := strings.Join(in.wait(t, 2), "\n")
	told := strings.Index(all, `"process":"gitd","stream":"nodeos","host":"host.example","message":"1 lines were dropped here`)
	if !strings.Contains(all, `"app":"blog"`) || told < 0 || told > strings.Index(all, "line 2") {
		t.Errorf("%s", all)
	}
}

// TestTooLarge: a receiver that takes less at once gets less at once.
func TestTooLarge(t *testing.T) {
	in := newInbox()
	r := newRig(t, "127.0.0.1")
	s := r.serveTLS(func(w http.ResponseWriter, req *http.Request) {
		if body := unpacked(t, req); strings.Count(string(body), "message") > 10 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		} else {
			in.put(strings.Split(string(body), "},{")...)
		}
	})
	r.add("shop", s.URL)
	r.says("shop", 1, 100, 0)
	if got := in.wait(t, 100); len(got) != 100 {
		t.Errorf("%d lines", len(got))
	}
	r.state("sent", func(s State) bool { return s.Sent == 100 && s.Dropped == 0 })
}

// TestAwayForTooLong: when an app has said more than its log keeps, the drain goes on with the oldest line that there
// is, and tells the receiver how many are missing, exactly.
func TestAwayForTooLong(t *testing.T) {
	in := newInbox()
	var away atomic.Bool
	r := newRig(t, "127.0.0.1")
	s := r.serveTLS(func(w http.ResponseWriter, req *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		takeJSON(t, req, in)
	})
	r.add("shop", s.URL)
	r.says("shop", 1, 1, 0)
	r.state("sent", func(s State) bool { return s.Sent == 1 })
	away.Store(true)
	const count = 3000
	for i := 2; i <= count; i += 250 {
		r.says("shop", i, min(count, i+249), 16000)
		r.stored("shop")
	}
	r.state("failing", func(s State) bool { return s.Error != "" && s.Behind == count-1 })
	away.Store(false)
	s1 := r.state("sent", func(s State) bool { return s.Behind == 0 && s.Up })
	if s1.Dropped == 0 || s1.Sent+s1.Dropped != count {
		t.Errorf("%+v", s1)
	}
	told := fmt.Sprintf("shop gitd  %d lines were dropped here: the receiver of this drain was away, and they are not kept any more", s1.Dropped)
	if all := in.wait(t, int(s1.Sent)+1); all[1] != told {
		t.Errorf("%.200q", all[1])
	}
}

// TestRenamedAndDestroyed: a drain follows its app to its new name, and ends with it: it is not sent what the next app
// of that name says.
func TestRenamedAndDestroyed(t *testing.T) {
	in := newInbox()
	r := newRig(t, "127.0.0.1")
	s := r.serveTLS(func(_ http.ResponseWriter, req *http.Request) { takeJSON(t, req, in) })
	r.add("shop", s.URL)
	r.says("shop", 1, 1, 0)
	in.wait(t, 1)
	r.must(errors.Join(r.ledger.RenameApp(t.Context(), "shop", "store"), r.logs.Rename(t.Context(), "shop", "store")))
	r.says("shop", 2, 2, 0) // another app
	r.says("store", 3, 3, 0)
	same(t, in.wait(t, 2), []string{"shop worker.1 v3 line 1", "store worker.1 v3 line 3"})
	r.must(errors.Join(r.logs.Remove(t.Context(), "store"), r.ledger.DeleteApp(t.Context(), "store")))
	r.says("store", 4, 4, 0)
	r.stored("store")
	r.must(r.drains.Start(t.Context())) // the ledger has none either
	if rows, err := r.drains.List(func(string) bool { return true }); len(rows) != 0 || err != nil {
		t.Errorf("%+v, %v", rows, err)
	}
	r.end(time.Second)
	if got := in.wait(t, 2); len(got) != 2 {
		t.Errorf("%q", got)
	}
	if left, _ := os.ReadDir(r.dir); slices.ContainsFunc(left, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "d-") }) {
		t.Errorf("left: %v", left)
	}
}

// TestReach: nobody makes gitd connect to the host's own services, to its networks, or without encryption to the
// internet, whether a URL names the address or a name that resolves to it.
func TestReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r := newRig(t, "10.0.0.0/8", "127.0.0.0/8:1")
	for url, why := range map[string]string{
		"syslog+tcp://127.0.0.1:" + port:       "loopback",
		"syslog+tls://localhost:" + port:       "loopback",
		"https://[::ffff:127.0.0.1]:" + port:   "loopback",
		"http://127.1:" + port:                 "", // no address for Go, and no name
		"https://2130706433:" + port:           "",
		"otlp://169.254.169.254/":              "an address of the host's link",
		"https://192.168.1.1":                  "a private address",
		"https://0.0.0.0:" + port:              "0.0.0.0 is an address of nobody",
		"https://[::]:" + port:                 ":: is an address of nobody",
		"http://192.0.2.1":                     "192.0.2.1 is a reserved address",
		"http://198.41.0.4":                    "must be encrypted",
		"otlp+http://198.41.0.4":               "must be encrypted",
		"https://[64:ff9b::127.0.0.1]:" + port: "an address with an IPv4 address inside",
	} {
		row := r.add("shop", url)
		r.says("shop", 1, 1, 0)
		got := r.state("failing", func(s State) bool { return s.Error != "" })
		if !strings.Contains(got.Error, why) {
			t.Errorf("%s: %s", url, got.Error)
		}
		_, err := r.drains.Remove(t.Context(), ada, "shop", row.ID)
		r.must(err)
	}
	r.drains.End(0)
	if err := l.(*net.TCPListener).SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if conn, err := l.Accept(); err == nil {
		t.Errorf("%s came", conn.RemoteAddr())
	}
}

// TestCertificate: a receiver whose certificate is of another host is sent nothing.
func TestCertificate(t *testing.T) {
	r := newRig(t, "127.0.0.1")
	s := r.serveTLS(func(http.ResponseWriter, *http.Request) { t.Error("it was sent") })
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	r.add("shop", "https://localhost:"+port) // the certificate is for 127.0.0.1 and example.com
	r.says("shop", 1, 1, 0)
	got := r.state("failing", func(s State) bool { return s.Error != "" })
	if !strings.Contains(got.Error, "certificate is valid for") {
		t.Error(got.Error)
	}
}

func TestTooMany(t *testing.T) {
	r := newRig(t)
	for i := range outbound.MaxOfApp {
		r.add("shop", fmt.Sprintf("https://192.0.2.1/%d", i))
	}
	_, err := r.drains.Add(t.Context(), ada, "shop", "https://192.0.2.1/", true)
	if _, ok := errors.AsType[*core.Rejection](err); !ok {
		t.Errorf("%v", err)
	}
	r.add("blog", "https://192.0.2.1")
	if _, err := r.drains.Remove(t.Context(), ada, "blog", "https://192.0.2.1/***"); err == nil {
		t.Error("of another app")
	}
	if _, err := r.drains.Remove(t.Context(), ada, "shop", "https://192.0.2.1/***"); err == nil || !strings.Contains(err.Error(), "5 drains of shop have this URL") {
		t.Errorf("%v", err)
	}
}

// hung is a receiver that takes connections, and nothing more.
func hung(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		var open []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				for _, c := range open {
					c.Close()
				}
				return
			}
			open = append(open, conn)
		}
	}()
	return l
}

// TestHungReceivers: an app that says 50,000 lines is as fast with five receivers that hang as with none, gitd takes
// memory for a batch of each and not for the lines, and its end does not wait for them.
func TestHungReceivers(t *testing.T) {
	const lines = 50_000
	took := func(receivers int) (time.Duration, uint64, *rig) {
		r := newRig(t, "127.0.0.1")
		for range receivers {
			r.add("shop", "syslog+tls://"+hung(t).Addr().String())
		}
		start, most := time.Now(), uint64(0)
		for i := 0; i < lines; i += 1000 {
			r.says("shop", i+1, i+1000, 100)
			r.stored("shop")
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
		}
		return time.Since(start), most, r
	}
	alone, little, _ := took(0)
	with, much, r := took(outbound.MaxOfApp)
	for range 2 { // the host may do something else meanwhile
		again, _, _ := took(0)
		alone = min(alone, again)
		if again, _, r = took(outbound.MaxOfApp); again < with {
			with = again
		}
	}
	t.Logf("%d lines: %s and %d KiB without a drain; %s and %d KiB with %d that hang: %.2f times as long",
		lines, alone, little>>10, with, much>>10, outbound.MaxOfApp, float64(with)/float64(alone))
	if with > 2*alone+time.Second/2 {
		t.Errorf("%s, and %s without", with, alone)
	}
	if much > little+32<<20 {
		t.Errorf("%d KiB, and %d without", much>>10, little>>10)
	}
	rows, err := r.drains.List(func(string) bool { return true })
	r.must(err)
	for _, row := range rows {
		if row.Behind+row.Dropped != lines {
			t.Errorf("%+v", row.State)
		}
	}
	start := time.Now()
	r.end(100 * time.Millisecond)
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("the end took %s", d)
	}
}

// TestEndSendsWhatWaits: lines that were said right before gitd ended are sent before it has ended.
func TestEndSendsWhatWaits(t *testing.T) {
	in := newInbox()
	r := newRig(t, "127.0.0.1")
	s := r.serveTLS(func(_ http.ResponseWriter, req *http.Request) { takeJSON(t, req, in) })
	r.add("shop", s.URL)
	for i := 0; i < 5000; i += 1000 {
		r.says("shop", i+1, i+1000, 0)
		r.stored("shop")
	}
	r.end(10 * time.Second)
	in.mu.Lock()
	got := slices.Clone(in.got)
	in.mu.Unlock()
	same(t, got, want(1, 5000))
}

// TestRulesAreAskedAgain: what an administrator opens is open for drains that wait.
func TestRulesAreAskedAgain(t *testing.T) {
	in := newInbox()
	r := newRig(t)
	s := r.serveTLS(func(_ http.ResponseWriter, req *http.Request) { takeJSON(t, req, in) })
	var open atomic.Bool
	r.end(0)
	r.cfg.Rules = nil
	r.begin()
	r.drains.cfg.Rules = func(context.Context, string) ([]core.EgressRule, error) {
		if !open.Load() {
			return nil, nil
		}
		rule, err := core.ParseEgressRule("127.0.0.1")
		return []core.EgressRule{rule}, err
	}
	r.add("shop", s.URL)
	r.says("shop", 1, 1, 0)
	r.state("failing", func(s State) bool { return strings.Contains(s.Error, "network:allow shop 127.0.0.1:") })
	open.Store(true)
	same(t, in.wait(t, 1), want(1, 1))
}
