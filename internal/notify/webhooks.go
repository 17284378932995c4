package notify

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

// Ledger is where webhooks are stored, and the audit that they follow.
type Ledger interface {
	audit.Source
	Webhooks(ctx context.Context) ([]core.Webhook, error)
	AddWebhook(ctx context.Context, h core.Webhook, e core.Entry) error
	// RemoveWebhook returns core.ErrNotFound if there is no such webhook.
	RemoveWebhook(ctx context.Context, id string, e core.Entry) error
	WebhookDone(ctx context.Context, id string, seen, sent, dead int64) error
}

// Config is what a Webhooks works with.
type Config struct {
	Ledger Ledger
	Host   string                  // the name of this server, for receivers
	URL    func(app string) string // where people find an app
	Agent  string                  // "gitd/1.2.3"
	Roots  *x509.CertPool          // nil: the system's
	Log    *slog.Logger

	// Rules are what receivers of an app may be, beside the internet; app is empty for a webhook of all apps.
	Rules func(ctx context.Context, app string) ([]core.EgressRule, error)
}

// named is what webhooks are called.
var named = outbound.Kind{Name: "webhook", List: "notify", Remove: "notify:remove", Prefix: "w-"}

// Webhooks tells receivers what happens. Its methods are safe for concurrent use.
type Webhooks struct {
	cfg  Config
	work sync.WaitGroup
	ctx  context.Context
	stop context.CancelFunc

	change sync.Mutex // held while a webhook is added or removed

	mu  sync.RWMutex
	all []*hook
}

// Row is a webhook as people see it.
type Row struct {
	core.Webhook // without its URL and key
	State
	Shown string // the URL without secrets
}

// New makes a Webhooks, which tells once it has started.
func New(cfg Config) *Webhooks {
	s := &Webhooks{cfg: cfg}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// Start tells what was recorded since gitd ended, and goes on.
func (s *Webhooks) Start(ctx context.Context) error {
	list, err := s.cfg.Ledger.Webhooks(ctx)
	if err != nil {
		return err
	}
	for _, h := range list {
		if _, err := s.begin(h); err != nil {
			s.cfg.Log.Error("a webhook is not told: gitd does not understand its URL any more", "webhook", h.ID, "error", err)
		}
	}
	return nil
}

// End ends the telling. What was not told is told by the next gitd.
func (s *Webhooks) End() {
	s.stop()
	s.work.Wait()
}

// begin has a webhook follow the audit.
func (s *Webhooks) begin(w core.Webhook) (*hook, error) {
	to, err := outbound.ParseAddress(w.URL)
	if err != nil {
		return nil, err
	}
	h := &hook{
		Webhook: w, to: to, agent: s.cfg.Agent, log: s.cfg.Log.With("webhook", w.ID, "receiver", outbound.Shown(w.URL)),
		told: map[string]time.Time{}, skipped: map[string]int{}, over: make(chan struct{}),
	}
	h.client = outbound.Reach{
		Roots: s.cfg.Roots, Hint: func(rule string) string { return outbound.Hint(h.app(), rule) },
		Rules: func(ctx context.Context) ([]core.EgressRule, error) { return s.cfg.Rules(ctx, h.app()) },
	}.Client()
	var ctx context.Context
	ctx, h.stop = context.WithCancel(s.ctx)
	s.mu.Lock()
	s.all = append(s.all, h)
	s.mu.Unlock()
	s.work.Go(func() {
		defer close(h.over)
		defer h.client.CloseIdleConnections()
		h.follow(ctx, s)
		s.forget(h) // its app is gone, or gitd ends
	})
	return h, nil
}

func (s *Webhooks) forget(h *hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(x *hook) bool { return x == h })
}

// Add adds a webhook and returns it with the key of its signatures, which nobody is told again.
func (s *Webhooks) Add(ctx context.Context, by core.Actor, app, url string, events []string) (Row, string, error) {
	if _, err := outbound.ParseAddress(url); err != nil {
		return Row{}, "", err
	}
	s.change.Lock()
	defer s.change.Unlock()
	if err := named.Room(app, len(s.List(func(of string) bool { return of == app }))); err != nil {
		return Row{}, "", err
	}
	w := core.Webhook{
		ID: named.NewID(), App: app, URL: url, Key: newKey(), Events: events, By: by.Name, Added: time.Now().UTC(),
	}
	e := core.Entry{Time: w.Added, App: app, Actor: by.Name, Action: "webhook.add", Detail: w.ID + " " + outbound.Shown(url)}
	if err := s.cfg.Ledger.AddWebhook(ctx, w, e); err != nil {
		return Row{}, "", err
	}
	var err error
	if w.Seen, err = audit.Newest(ctx, s.cfg.Ledger); err != nil {
		return Row{}, "", err
	}
	h, err := s.begin(w)
	if err != nil {
		return Row{}, "", err
	}
	return h.row(), keyText(w.Key), nil
}

// Remove ends a webhook of app, or of all apps.
func (s *Webhooks) Remove(ctx context.Context, by core.Actor, app, id string) (Row, error) {
	s.change.Lock()
	defer s.change.Unlock()
	h, err := s.find(app, id)
	if err != nil {
		return Row{}, err
	}
	row := h.row()
	e := core.Entry{Time: time.Now(), App: app, Actor: by.Name, Action: "webhook.remove", Detail: h.ID + " " + row.Shown}
	if err := s.cfg.Ledger.RemoveWebhook(ctx, h.ID, e); core.IgnoreMissing(err) != nil {
		return Row{}, err
	}
	h.stop()
	<-h.over
	return row, nil
}

// Test tells a webhook a test, once, and returns what the receiver has against it.
func (s *Webhooks) Test(ctx context.Context, by core.Actor, app, id string) (Row, error) {
	h, err := s.find(app, id)
	if err != nil {
		return Row{}, err
	}
	now := time.Now()
	m := Message{Version: version, Type: "test", Timestamp: now.UTC(), Data: Data{Host: s.cfg.Host, App: app, Actor: by.Name}}
	m.Text = m.Data.text(m.Type)
	return h.row(), h.post(ctx, fmt.Sprintf("msg_%s_test_%d", h.ID, now.UnixNano()), m)
}

// find is the webhook with this id, or URL as it is shown.
func (s *Webhooks) find(app, id string) (*hook, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var found []*hook
	for _, h := range s.all {
		if h.app() == app && (h.ID == id || outbound.Shown(h.URL) == id) {
			found = append(found, h)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return nil, named.NotOne(app, len(found))
}

// List is the webhooks for whose app of is true; that of all apps is empty.
func (s *Webhooks) List(of func(app string) bool) (rows []Row) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, h := range s.all {
		if of(h.app()) {
			rows = append(rows, h.row())
		}
	}
	return rows
}

func (h *hook) row() Row {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := Row{Webhook: h.Webhook, State: h.state, Shown: outbound.Shown(h.URL)}
	r.URL, r.Key = "", nil
	return r
}
