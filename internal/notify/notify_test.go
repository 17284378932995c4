package notify

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

// request is what a receiver was sent.
type request struct {
	id, auth string
	body     []byte
	headers  http.Header
	Message
}

// rig is webhooks on a real ledger, and a receiver.
type rig struct {
	t      *testing.T
	ledger *ledger.Ledger
	hooks  *Webhooks
	got    chan request
	url    string
	status atomic.Int32 // what the receiver answers
	tries  atomic.Int32
	cfg    Config
}

var ada = core.Actor{Name: "ada", Admin: true}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, got: make(chan request, 100)}
	r.status.Store(http.StatusNoContent)
	s := httptest.NewTLSServer(http.HandlerFunc(r.take))
	t.Cleanup(s.Close)
	r.url = s.URL
	var err error
	r.ledger, err = ledger.Open(t.Context(), filepath.Join(t.TempDir(), "gitd.db"))
	r.must(err)
	t.Cleanup(func() { r.ledger.Close() })
	for _, app := range []string{"shop", "blog"} {
		_, err := r.ledger.CreateApp(t.Context(), app)
		r.must(err)
	}
	rule, err := core.ParseEgressRule("127.0.0.1")
	r.must(err)
	r.cfg = Config{
		Ledger: r.ledger, Host: "host.example", URL: func(app string) string { return "http://" + app + ".example/" }, Agent: "gitd/test",
		Roots: x509.NewCertPool(), Log: slog.New(slog.DiscardHandler),
		Rules: func(context.Context, string) ([]core.EgressRule, error) { return []core.EgressRule{rule}, nil },
	}
	r.cfg.Roots.AddCert(s.Certificate())
	r.begin()
	t.Cleanup(func() { r.hooks.End() })
	return r
}

func (r *rig) begin() {
	r.hooks = New(r.cfg)
	r.must(r.hooks.Start(r.t.Context()))
}

func (r *rig) take(w http.ResponseWriter, req *http.Request) {
	r.tries.Add(1)
	if status := int(r.status.Load()); status != http.StatusNoContent {
		http.Error(w, "no", status)
		return
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	q := request{id: req.Header.Get("Webhook-Id"), auth: req.Header.Get("Authorization"), body: body, headers: req.Header}
	if err := json.Unmarshal(body, &q.Message); err != nil {
		r.t.Error(err)
	}
	r.got <- q
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) add(app, url string, events ...string) (Row, string) {
	r.t.Helper()
	events, err := ParseEvents(strings.Join(events, ","), app)
	r.must(err)
	row, key, err := r.hooks.Add(r.t.Context(), ada, app, url, events)
	r.must(err)
	return row, key
}

func (r *rig) happens(app, action, detail string, at time.Time) {
	r.t.Helper()
	r.must(r.ledger.Record(r.t.Context(), core.Entry{Time: at, App: app, Actor: "ada", Action: action, Detail: detail}))
}

func (r *rig) next() request {
	r.t.Helper()
	select {
	case q := <-r.got:
		return q
	case <-time.After(2 * time.Minute):
		r.t.Fatal("nobody was told")
		return request{}
	}
}

// state waits until the only webhook is as wanted.
func (r *rig) state(what string, want func(Row) bool) Row {
	r.t.Helper()
	var last Row
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if last = r.hooks.List(func(string) bool { return true })[0]; want(last) {
			return last
		}
	}
	r.t.Fatalf("not %s: %+v", what, last)
	return last
}

// TestMessages: what is told of what happens, with a signature that others verify.
func TestMessages(t *testing.T) {
	r := newRig(t)
	_, key := r.add("", strings.Replace(r.url, "https://", "https://:t0ken@", 1)+"/in")
	at := time.Now().UTC().Truncate(time.Second)
	host := `"data":{"host":"host.example",`
	shop := host + `"app":"shop","url":"http://shop.example/",`
	for _, tt := range []struct{ app, action, detail, want string }{
		{"shop", "release.live", "v3 1a2b3c4", `"type":"deployed","timestamp":"AT","text":"shop v3 is live at http://shop.example/ (1a2b3c4, by ada)",` + shop + `"release":3,"commit":"1a2b3c4","actor":"ada"}`},
		{"shop", "release.failed", "v4 1a2b3c4: health check: no", `"type":"failed","timestamp":"AT","text":"shop v4 failed (1a2b3c4, by ada): health check: no",` + shop + `"release":4,"commit":"1a2b3c4","actor":"ada","reason":"health check: no"}`},
		{"shop", "machine.lost", "shop-v3-aa: it ended", `"type":"crashed","timestamp":"AT","text":"shop has crashed: shop-v3-aa: it ended",` + shop + `"actor":"ada","reason":"shop-v3-aa: it ended"}`},
		{"shop", CertificateEnds, "shop.example ends", `"type":"certificate","timestamp":"AT","text":"A certificate ends soon: shop.example ends",` + shop + `"actor":"ada","reason":"shop.example ends"}`},
		{"", DiskLow, "2 MiB of 9 MiB are free", `"type":"disk","timestamp":"AT","text":"The disk of host.example is nearly full: 2 MiB of 9 MiB are free",` + host + `"actor":"ada","reason":"2 MiB of 9 MiB are free"}`},
	} {
		r.happens(tt.app, "config.read", "TOKEN", at) // which is nobody's business
		r.happens(tt.app, tt.action, tt.detail, at)
		q := r.next()
		if want := `{"version":1,` + strings.ReplaceAll(tt.want, "AT", at.Format(time.RFC3339)) + "}"; string(q.body) != want {
			t.Errorf("%s\nwant\n%s", q.body, want)
		}
		w, err := standard.NewWebhook(key)
		r.must(err)
		r.must(w.Verify(q.body, q.headers))
		q.body[10]++
		if w.Verify(q.body, q.headers) == nil {
			t.Error("another body has the same signature")
		}
		if q.auth != "Bearer t0ken" {
			t.Errorf("Authorization: %s", q.auth)
		}
	}
	r.state("sent", func(h Row) bool { return h.Sent == 5 && h.Dead == 0 })
}

// TestOnlyTheirs: a webhook of an app is told of that app, also under its new name, of the events it wants, and of
// nothing when the app is gone.
func TestOnlyTheirs(t *testing.T) {
	r := newRig(t)
	r.add("shop", r.url, Deployed)
	now := time.Now()
	r.happens("blog", "release.live", "v1 aaaaaaa", now)
	r.happens("shop", "release.failed", "v1 aaaaaaa: no", now)
	r.must(r.ledger.RenameApp(t.Context(), "shop", "store"))
	r.happens("shop", "app.rename", "to store", now)
	r.happens("store", "app.rename", "from shop", now)
	r.happens("shop", "release.live", "v1 bbbbbbb", now) // another app of that name
	r.happens("store", "release.live", "v2 ccccccc", now)
	if q := r.next(); q.Data.App != "store" || q.Data.Release != 2 {
		t.Errorf("%s", q.body)
	}
	r.must(r.ledger.DeleteApp(t.Context(), "store"))
	r.happens("store", "app.destroy", "", now)
	r.happens("store", "release.live", "v1 ddddddd", now)
	for len(r.hooks.List(func(string) bool { return true })) > 0 {
		time.Sleep(5 * time.Millisecond)
	}
	r.hooks.End()
	if len(r.got) > 0 {
		t.Errorf("%s", (<-r.got).body)
	}
}

// TestTriedAgain: a message whose receiver is away is told later, once, with the id that it had, also by the next gitd.
func TestTriedAgain(t *testing.T) {
	r := newRig(t)
	r.status.Store(http.StatusServiceUnavailable)
	row, _ := r.add("shop", r.url)
	r.happens("shop", "release.live", "v1 aaaaaaa", time.Now())
	r.happens("shop", "release.live", "v2 bbbbbbb", time.Now())
	got := r.state("trying", func(h Row) bool { return h.Trying })
	if got.Error != "the receiver answers 503 Service Unavailable" || got.Sent != 0 {
		t.Errorf("%+v", got)
	}
	r.hooks.End()
	r.status.Store(http.StatusNoContent)
	r.begin()
	first, second := r.next(), r.next()
	if first.Data.Release != 1 || second.Data.Release != 2 || first.id == second.id || !strings.HasPrefix(first.id, "msg_"+row.ID+"_") {
		t.Errorf("%s, %s", first.body, second.body)
	}
	r.state("sent", func(h Row) bool { return h.Sent == 2 && !h.Trying })
	r.hooks.End()
	r.begin()
	r.hooks.End()
	if len(r.got) > 0 {
		t.Error("it was told twice")
	}
}

// TestGivenUp: a receiver that means its refusal, and one that was away for a day, do not keep later messages waiting.
func TestGivenUp(t *testing.T) {
	r := newRig(t)
	r.status.Store(http.StatusInternalServerError)
	r.add("shop", r.url)
	r.happens("shop", "release.live", "v1 aaaaaaa", time.Now().Add(-maxAge-time.Minute))
	got := r.state("dead", func(h Row) bool { return h.Dead == 1 })
	if got.Error == "" || got.Trying || r.tries.Load() != 1 {
		t.Errorf("%+v after %d tries", got, r.tries.Load())
	}
	r.status.Store(http.StatusNoContent)
	r.happens("shop", "release.live", "v2 aaaaaaa", time.Now())
	if q := r.next(); q.Data.Release != 2 {
		t.Errorf("%s", q.body)
	}
	for status, want := range map[int]bool{
		301: true, 307: true, 400: true, 401: true, 404: true, 410: true, 408: false, 425: false, 429: false, 500: false, 503: false,
	} {
		if got := (&answer{status: status}).final(); got != want {
			t.Errorf("%d is final: %v", status, got)
		}
	}
}

// TestCrashLoop: an app that crashes again and again makes one message in a while, which says how many there were.
func TestCrashLoop(t *testing.T) {
	r := newRig(t)
	r.add("", r.url)
	start := time.Now().Add(-time.Hour)
	for i := range 50 {
		r.happens("shop", "app.crashed", fmt.Sprint("number ", i), start.Add(time.Duration(i)*10*time.Second))
	}
	r.happens("blog", "app.crashed", "once", start)
	r.happens("shop", "app.crashed", "later", start.Add(20*time.Minute))
	one, other, later := r.next(), r.next(), r.next()
	if one.Data.Reason != "number 0" || other.Data.App != "blog" || later.Data.Skipped != 49 ||
		!strings.HasSuffix(later.Text, "later (and 49 more since the last message)") {
		t.Errorf("%s\n%s\n%s", one.body, other.body, later.body)
	}
}

func TestTest(t *testing.T) {
	r := newRig(t)
	row, _ := r.add("shop", r.url)
	_, err := r.hooks.Test(t.Context(), ada, "shop", row.ID)
	r.must(err)
	if q := r.next(); q.Type != "test" || q.Text != "A test of gitd on host.example, by ada" {
		t.Errorf("%s", q.body)
	}
	r.status.Store(http.StatusNotFound)
	if _, err := r.hooks.Test(t.Context(), ada, "shop", row.ID); err == nil || !strings.Contains(err.Error(), "404 Not Found") {
		t.Errorf("%v", err)
	}
	for _, app := range []string{"blog", ""} {
		if _, err := r.hooks.Test(t.Context(), ada, app, row.ID); err == nil {
			t.Errorf("%q tests a webhook of shop", app)
		}
		if _, err := r.hooks.Remove(t.Context(), ada, app, row.ID); err == nil {
			t.Errorf("%q removes a webhook of shop", app)
		}
	}
	_, err = r.hooks.Remove(t.Context(), ada, "shop", row.ID)
	r.must(err)
	list, err := r.ledger.Webhooks(t.Context())
	if len(list) != 0 || err != nil || len(r.hooks.List(func(string) bool { return true })) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestRefused(t *testing.T) {
	r := newRig(t)
	for _, url := range []string{"", "hooks.example", "ftp://ada:s3cret@hooks.example", "https://", "https://hooks.example/#s3cret", "https://hooks.example/ s3cret"} {
		_, _, err := r.hooks.Add(t.Context(), ada, "shop", url, Events)
		if _, ok := errors.AsType[*core.Rejection](err); !ok || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for range outbound.MaxOfApp {
		r.add("shop", r.url)
	}
	if _, _, err := r.hooks.Add(t.Context(), ada, "shop", r.url, Events); err == nil {
		t.Error("one too many")
	}
	for text, want := range map[string][]string{
		"": {Deployed, Failed, Crashed, Certificate}, "failed, crashed,failed": {Failed, Crashed}, "disk": nil, "Deployed": nil, ",": nil,
	} {
		got, err := ParseEvents(text, "shop")
		if !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestLookout: a certificate that ends and a disk that fills up are found once, also by the next gitd.
func TestLookout(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	day := 24 * time.Hour
	free := int64(50 << 30)
	certs := []HostCertificate{
		{"shop", "set.example", core.Certificate{From: core.CertificateSet, Until: now.Add(13 * day)}},
		{"shop", "later.example", core.Certificate{From: core.CertificateSet, Until: now.Add(15 * day)}},
		{"shop", "acme.example", core.Certificate{From: core.CertificateACME, Until: now.Add(day)}}, // renewed
		{"blog", "failed.example", core.Certificate{From: core.CertificateACME, Until: now.Add(13 * day), Reason: "no: route"}},
		{"blog", "blog.example", core.Certificate{From: core.CertificateFolder, Until: now.Add(2 * day)}},
		{"shop", "shop.example", core.Certificate{From: core.CertificateFolder, Until: now.Add(2 * day)}},
		{"shop", "none.example", core.Certificate{}},
	}
	look := func(at time.Time) {
		l := Lookout{
			Trail: audit.New(r.ledger, slog.New(slog.DiscardHandler)), Past: r.ledger, Log: slog.New(slog.DiscardHandler),
			Space:        func() (int64, int64, error) { return free, 100 << 30, nil },
			Certificates: func(context.Context) ([]HostCertificate, error) { return certs, nil },
		}
		r.must(l.remember(t.Context()))
		r.must(errors.Join(l.Look(t.Context(), at), l.Look(t.Context(), at)))
	}
	found := func() (all []string) {
		entries, err := r.ledger.EntriesOf(t.Context(), core.EntryRange{})
		r.must(err)
		for _, e := range entries {
			all = append(all, e.App+" "+e.Action+" "+e.Detail)
		}
		return all
	}
	look(now)
	on := func(days int) string { return now.Add(time.Duration(days) * day).UTC().Format(time.DateOnly) }
	want := []string{
		"shop certificate.ends set.example ends on " + on(13) + ", in less than 14 days",
		"blog certificate.ends failed.example ends on " + on(13) + ", in less than 14 days: it could not be renewed: no: route",
		" certificate.ends a certificate of --certificate-dir ends on " + on(2) + ", in less than 3 days",
	}
	if got := found(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	free = 9 << 30
	certs = certs[:1]
	look(now)
	look(now.Add(12 * day)) // the certificate again, and the disk
	want = append(want, " disk.low 9216 MiB of 102400 MiB are free", " disk.low 9216 MiB of 102400 MiB are free",
		"shop certificate.ends set.example ends on "+on(13)+", in less than 3 days")
	if got := found(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
