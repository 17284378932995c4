package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// tended is a ledger that is tended, and the events of that.
func tended(t *testing.T, path string) (*Ledger, <-chan string) {
	t.Helper()
	l := openAt(t, path)
	events := make(chan string, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Tend(ctx, slog.New(told(events))) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l, events
}

// told is a log that tells messages.
type told chan string

func (told) Enabled(context.Context, slog.Level) bool { return true }
func (c told) Handle(_ context.Context, r slog.Record) error {
	c <- r.Message
	return nil
}
func (c told) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c told) WithGroup(string) slog.Handler      { return c }

// TestQuietLedgerIsInItsFile: a gitd.db of 4,096 bytes was found whose keys and releases all stood in the log beside
// it; with the log, everything was lost. A ledger that rests is whole without its log.
func TestQuietLedgerIsInItsFile(t *testing.T) {
	path := newPath(t)
	l, events := tended(t, path)
	if _, err := l.CreateApp(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ledger copied", "ledger folded"} {
		if got := <-events; got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	alone := newPath(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(alone, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, alone).App(t.Context(), "shop"); err != nil {
		t.Errorf("without its log: %v", err)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() != 0 {
		t.Errorf("the log: %v, %v", info, err)
	}
}

// TestBusyLedgerIsFolded although it never rests.
func TestBusyLedgerIsFolded(t *testing.T) {
	l, events := tended(t, newPath(t))
	stop := time.After(10 * patience)
	for n := 0; ; n++ {
		if err := l.Record(t.Context(), core.Entry{Time: time.Now(), Action: "x", Detail: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-events:
			if got == "ledger folded" {
				return
			}
		case <-stop:
			t.Fatal("not folded")
		default:
		}
	}
}

// TestFoldBesideReader: somebody who reads for long keeps nobody from writing, and the log is folded when they end.
func TestFoldBesideReader(t *testing.T) {
	l := openAt(t, newPath(t))
	ctx := t.Context()
	if _, err := l.CreateApp(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	reader, err := l.reader.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if _, err := reader.ExecContext(ctx, `BEGIN; SELECT count(*) FROM apps`); err != nil {
		t.Fatal(err)
	}
	if _, err := l.CreateApp(ctx, "blog"); err != nil {
		t.Fatal(err)
	}
	<-l.changed
	if err := l.fold(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := l.CreateApp(ctx, "web"); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.ExecContext(ctx, `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	<-l.changed
	if err := l.fold(ctx); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(l.path + "-wal"); err != nil || info.Size() != 0 {
		t.Errorf("the log: %v, %v", info, err)
	}
}

// BenchmarkFold is one quiet moment: the change before it, and the log written into the database.
func BenchmarkFold(b *testing.B) {
	l := openAt(b, newPath(b))
	for b.Loop() {
		if err := l.Record(b.Context(), core.Entry{Time: time.Now(), Action: "x"}); err != nil {
			b.Fatal(err)
		}
		if err := l.fold(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRecord is the change alone.
func BenchmarkRecord(b *testing.B) {
	l := openAt(b, newPath(b))
	for b.Loop() {
		if err := l.Record(b.Context(), core.Entry{Time: time.Now(), Action: "x"}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCopy is a dated copy of a ledger with 100,000 entries.
func BenchmarkCopy(b *testing.B) {
	l := openAt(b, newPath(b))
	_, err := l.writer.Exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
		INSERT INTO entries (time, app, actor, action, detail) SELECT i, 'shop', 'ada', 'release.live', 'v1 0123456 of some text' FROM n`)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for b.Loop() {
		now = now.Add(time.Second)
		if _, err := l.copy(b.Context(), now); err != nil {
			b.Fatal(err)
		}
	}
}
