package label_test

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/label"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// TestGuardedAppsComeBackStopped: the rules of a front door are in the ledger alone. When it is lost, an app that not
// everybody might see must not come back open to all.
func TestGuardedAppsComeBackStopped(t *testing.T) {
	ctx, state := t.Context(), core.StateDir(t.TempDir())
	l, err := ledger.Open(ctx, filepath.Join(t.TempDir(), "gitd.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for app, change := range map[string]func(*rules.Set) error{
		"open":      func(*rules.Set) error { return nil },
		"limited":   func(s *rules.Set) error { return s.Limits.Change(rules.LimitRequests, "1/s") },
		"password":  func(s *rules.Set) error { _, err := s.SetUser(rules.User{Name: "ada", Hash: "x"}); return err },
		"addresses": func(s *rules.Set) error { return s.AddSources([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}) },
	} {
		if _, err := l.CreateApp(ctx, app); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(state.Repo(app), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := l.ChangeRules(ctx, app, change); err != nil {
			t.Fatal(err)
		}
		label.New(state, l, slog.New(slog.DiscardHandler)).Write(ctx, app)
		text, err := os.ReadFile(core.LabelFiles(state).App(app))
		if err != nil {
			t.Fatal(err)
		}
		got, err := label.ParseApp(app, text)
		if want := app == "password" || app == "addresses"; err != nil || got.App.Stopped != want {
			t.Errorf("%s: stopped is %v, %v", app, got.App.Stopped, err)
		}
		if a, err := l.App(ctx, app); err != nil || a.Stopped {
			t.Errorf("%s is stopped in the ledger, %v", app, err)
		}
	}
}
