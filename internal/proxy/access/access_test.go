package access

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/proxy"
)

func request() proxy.Request {
	return proxy.Request{
		ID: "0123", App: "shop", Begun: time.Date(2027, 1, 31, 8, 0, 0, 123456789, time.UTC), Took: 1234567 * time.Nanosecond,
		Client: netip.MustParseAddr("2001:db8::1"), Method: "GET", Scheme: "https", Proto: "HTTP/2.0", TLS: "TLS 1.3",
		Host: "shop.example", Path: "/cart", Query: "card=1", Agent: "browser", Referer: "https://x.example/", Status: 200, In: 1, Out: 2, Machine: "@m", User: "ada",
	}
}

func TestLine(t *testing.T) {
	const want = `{"time":"2027-01-31T08:00:00.123Z","request_id":"0123","app":"shop","method":"GET","scheme":"https",` +
		`"host":"shop.example","path":"/cart","query":"card=1","status":200,"bytes_in":1,"bytes_out":2,"duration_ms":1.23,` +
		`"client":"2001:db8::1","protocol":"HTTP/2.0","tls":"TLS 1.3","user_agent":"browser","referer":"https://x.example/","machine":"@m","user":"ada"}`
	if got := string(Line(request(), true)); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := string(Line(request(), false)); strings.Contains(got, "card") {
		t.Errorf("the query stands in %s", got)
	}
}

// FuzzLine: whatever a client sends, a line is one JSON object of printable ASCII and of bounded length. It says what
// was sent.
func FuzzLine(f *testing.F) {
	f.Add("GET", "shop", "/\x1b[2J\r\n{\"status\":200}", "q", "Mozilla\u202e\U0001f600", "\xff\"\\")
	f.Add("", strings.Repeat("\x00", 300), strings.Repeat("\U0001f600", 1<<14), "", strings.Repeat("\xff", 1<<13), strings.Repeat("\"", 1<<13))
	f.Fuzz(func(t *testing.T, method, host, path, query, agent, referer string) {
		r := request()
		r.Method, r.Host, r.Path, r.Query, r.Agent, r.Referer = method, host, path, query, agent, referer
		line := string(Line(r, true))
		if len(line) > 16<<10 || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Fatalf("%d bytes: %q", len(line), line)
		}
		var got struct {
			Method, Host, Path, Query string
			Agent                     string `json:"user_agent"`
			Referer, Machine          string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, p := range [][2]string{{got.Method, method}, {got.Host, host}, {got.Path, path}, {got.Agent, agent}, {got.Referer, referer}} {
			if short, cut := strings.CutSuffix(p[0], "\u2026"); p[0] != valid(p[1]) && !(cut && strings.HasPrefix(valid(p[1]), short)) {
				t.Errorf("%q stands as %q", p[1], p[0])
			}
		}
		if got.Machine != "@m" {
			t.Errorf("the last field is %q", got.Machine)
		}
	})
}

// valid is s with a mark in place of each byte that is no text.
func valid(s string) string { return string([]rune(s)) }

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	f, err := OpenFile(path, false, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.Note(request())
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := string(Line(request(), false)) + "\n"
	if string(text) != strings.Repeat(line, 3) {
		t.Errorf("the file holds %s", text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// slow is a disk that hangs until it is let go, and then has no room for one line.
type slow struct {
	goOn    chan struct{}
	written []string
	full    bool
}

func (s *slow) Write(p []byte) (int, error) {
	<-s.goOn
	if s.full {
		s.full = false
		return 0, errors.New("no room")
	}
	s.written = append(s.written, string(p))
	return len(p), nil
}

func (s *slow) Close() error { return nil }

// TestFileNeverBlocks: a disk that hangs holds up no request, and what is lost is counted.
func TestFileNeverBlocks(t *testing.T) {
	var told error // of the goroutine that Close waits for
	disk := &slow{goOn: make(chan struct{}), full: true}
	f := newFile(disk, false, func(err error) { told = err })
	f.Note(request())
	for {
		f.mu.Lock()
		taken := len(f.queue) == 0
		f.mu.Unlock()
		if taken {
			break
		}
	}
	for range maxQueue + 10 {
		f.Note(request())
	}
	close(disk.goOn)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if told == nil {
		t.Error("nobody was told")
	}
	last := map[string]any{}
	if err := json.Unmarshal([]byte(disk.written[len(disk.written)-1]), &last); err != nil || last["lost"] != 11.0 {
		t.Errorf("the last line is %v, %v; want 11 lost: one that was not written, 10 that found no room", last, err)
	}
	if len(disk.written) != maxQueue+1 || !reflect.DeepEqual(disk.written[0], string(Line(request(), false))+"\n") {
		t.Errorf("%d lines, first %s", len(disk.written), disk.written[0])
	}
}
