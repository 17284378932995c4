package ledger

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger/seal"
)

// receivers adds a drain and a webhook of shop, and one of each of all apps.
func receivers(t *testing.T, l *Ledger) ([]core.Drain, []core.Webhook) {
	t.Helper()
	var drains []core.Drain
	var hooks []core.Webhook
	for i, app := range []string{"shop", ""} {
		at := time.Unix(int64(i+1), 0).UTC()
		d := core.Drain{ID: "d" + app, App: app, URL: "https://ada:" + secret + "@logs.example/", Builds: true, By: "ada", Added: at}
		h := core.Webhook{
			ID: "h" + app, App: app, URL: "https://hooks.example/" + secret, Key: []byte(secret), Events: []string{"deployed"}, By: "ada", Added: at,
		}
		e := core.Entry{Time: at, App: app, Actor: "ada", Action: "drain.add"}
		if err := errors.Join(l.AddDrain(t.Context(), d, e), l.AddWebhook(t.Context(), h, e)); err != nil {
			t.Fatal(err)
		}
		drains, hooks = append(drains, d), append(hooks, h)
	}
	return drains, hooks
}

// TestReceivers: drains and webhooks come back whole, follow their app to its new name, and end with it.
func TestReceivers(t *testing.T) {
	path := newPath(t)
	l := openAt(t, path)
	if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	drains, hooks := receivers(t, l)
	if have, err := l.Drains(t.Context()); err != nil || !reflect.DeepEqual(have, drains) {
		t.Errorf("%+v, %v", have, err)
	}
	hooks[0].Seen, hooks[1].Seen = 2, 4 // what was recorded before they were added, and their own entry
	if have, err := l.Webhooks(t.Context()); err != nil || !reflect.DeepEqual(have, hooks) {
		t.Errorf("%+v, %v", have, err)
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(secret)) {
			t.Errorf("gitd.db%s holds a secret in the clear", suffix)
		}
	}
	if gone, err := l.DeleteBareApp(t.Context(), "shop"); gone || err != nil {
		t.Errorf("an app with a drain is bare: %v, %v", gone, err)
	}
	if err := errors.Join(l.RenameApp(t.Context(), "shop", "store"), l.WebhookDone(t.Context(), "h", 7, 1, 0), l.WebhookDone(t.Context(), "h", 5, 2, 1)); err != nil {
		t.Fatal(err)
	}
	d, err := l.Drains(t.Context())
	if err != nil || d[0].App != "store" || d[0].URL != drains[0].URL {
		t.Errorf("%+v, %v", d, err)
	}
	h, err := l.Webhooks(t.Context())
	if err != nil || h[0].App != "store" || h[1].Seen != 7 || h[1].Sent != 3 || h[1].Dead != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	if err := l.DeleteApp(t.Context(), "store"); err != nil {
		t.Fatal(err)
	}
	d, _ = l.Drains(t.Context())
	h, _ = l.Webhooks(t.Context())
	if len(d) != 1 || len(h) != 1 {
		t.Errorf("%d drains and %d webhooks outlived their app", len(d)-1, len(h)-1)
	}
	e := core.Entry{Time: time.Now(), Actor: "ada", Action: "drain.remove"}
	if err := errors.Join(l.RemoveDrain(t.Context(), "d", e), l.RemoveWebhook(t.Context(), "h", e)); err != nil {
		t.Error(err)
	}
	if err := l.RemoveDrain(t.Context(), "d", e); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := l.AddDrain(t.Context(), core.Drain{ID: "x", App: "ghost"}, e); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("of an app that is not there: %v", err)
	}
}

// TestReceiversNeedTheKey: a ledger that has secrets of receivers alone is not opened without its key either, and a
// secret that somebody moves to another receiver does not open.
func TestReceiversNeedTheKey(t *testing.T) {
	path := newPath(t)
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	receivers(t, l)
	if _, err := l.writer.ExecContext(t.Context(), `UPDATE drains SET sealed = (SELECT sealed FROM drains WHERE id = 'd') WHERE id = 'dshop'`); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Drains(t.Context()); !errors.Is(err, seal.ErrSealed) || strings.Contains(err.Error(), secret) {
		t.Errorf("moved: %v", err)
	}
	if err := errors.Join(l.Close(), os.Remove(path+".key")); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(t.Context(), path); err == nil {
		l.Close()
		t.Error("it was opened without the key, and the next secret would make a new one")
	}
}
