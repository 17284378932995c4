package applog

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// stored appends lines and waits until they are in the file.
func stored(t testing.TB, s *Store, app string, lines ...core.Line) {
	t.Helper()
	for _, l := range lines {
		s.Append(app, l)
	}
	tail(t, s, app, 1)
}

func page(t testing.TB, s *Store, app string, from core.LogPosition, n int) core.LogPage {
	t.Helper()
	p, err := s.Read(app, from, n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRead(t *testing.T) {
	s, dir := newStore(t)
	if p := page(t, s, "shop", core.LogPosition{}, 10); len(p.Lines) != 0 || p.Behind != 0 || p.Lost != 0 {
		t.Fatalf("of an app that has said nothing: %+v", p)
	}
	stored(t, s, "shop", say(1), say(2), say(3))
	p := page(t, s, "shop", core.LogPosition{}, 2)
	if got := texts(p.Lines); !slices.Equal(got, []string{"1", "2"}) || p.Behind != 1 || p.Lost != 0 {
		t.Fatalf("%q, %+v", got, p)
	}
	// Another process goes on: it knows the file and the offset.
	after := core.LogPosition{File: p.Next.File, Offset: p.Next.Offset}
	again := Open(func(app string) string { return dir + "/" + app + ".log" })
	defer again.Close()
	p = page(t, again, "shop", after, 10)
	if got := texts(p.Lines); !slices.Equal(got, []string{"3"}) || p.Behind != 0 || p.Lost != 0 {
		t.Fatalf("%q, %+v", got, p)
	}
	end, err := s.End("shop")
	if err != nil || end.File != p.Next.File || end.Offset != p.Next.Offset {
		t.Errorf("the end is %+v, %v; want %+v", end, err, p.Next)
	}
	stored(t, s, "shop", say(4))
	// What was said before the app was renamed comes under its new name.
	if err := s.Rename(t.Context(), "shop", "store"); err != nil {
		t.Fatal(err)
	}
	end.Line = 0
	p = page(t, s, "store", end, 10)
	if got := texts(p.Lines); !slices.Equal(got, []string{"4"}) || p.Lost != 0 {
		t.Fatalf("%q, %+v", got, p)
	}
}

// TestReadCountsWhatIsGone: a reader who was away for longer than an app's files last is told how many lines are
// missing, exactly, and gets every line that is there.
func TestReadCountsWhatIsGone(t *testing.T) {
	s, _ := newStore(t)
	const count = 4 * fileSize << 20 / maxText // more than the files hold
	stored(t, s, "shop", say(0))
	from := page(t, s, "shop", core.LogPosition{}, 10).Next
	for i := range count {
		l := say(i + 1)
		l.Text = fmt.Sprintf("%06d %s", i+1, strings.Repeat("x", maxText-8))
		s.Append("shop", l)
		if i%512 == 0 {
			tail(t, s, "shop", 1)
		}
	}
	tail(t, s, "shop", 1)
	unknown := core.LogPosition{File: from.File, Offset: from.Offset}
	if p := page(t, s, "shop", unknown, 1); p.Lost != core.LostSome {
		t.Errorf("of a position from before: %d lost", p.Lost)
	}
	lost, got, pages := int64(0), int64(0), 0
	for next := from; ; pages++ {
		p := page(t, s, "shop", next, 1000)
		if len(p.Lines) == 0 {
			break
		}
		if want := fmt.Sprintf("%06d ", lost+p.Lost+got+1); !strings.HasPrefix(p.Lines[0].Text, want) {
			t.Fatalf("%.10q comes after %d lost and %d read", p.Lines[0].Text, lost+p.Lost, got)
		}
		lost, got, next = lost+p.Lost, got+int64(len(p.Lines)), p.Next
		if lost+got+p.Behind != count {
			t.Fatalf("%d lost, %d read and %d behind are not %d", lost, got, p.Behind, count)
		}
	}
	if lost == 0 || got+lost != count || pages < 20 {
		t.Errorf("%d lost and %d read of %d, on %d pages", lost, got, count, pages)
	}
}

// TestReadPassesOver: what is no line of ours, and a line without an end, are no lines.
func TestReadPassesOver(t *testing.T) {
	s, dir := newStore(t)
	stored(t, s, "shop", say(1))
	f, err := os.OpenFile(dir+"/shop.log", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.Repeat("y", 3*longest) + "\nno line\n" + string(encode(nil, say(2))) + "2027-01-31T08:00:00Z v3 stdout torn"); err != nil {
		t.Fatal(err)
	}
	p := page(t, s, "shop", core.LogPosition{}, 10)
	if got := texts(p.Lines); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("%.100q", got)
	}
	if _, err := f.WriteString(" no more\n"); err != nil {
		t.Fatal(err)
	}
	p = page(t, s, "shop", p.Next, 10)
	if got := texts(p.Lines); !slices.Equal(got, []string{"torn no more"}) {
		t.Errorf("%.100q", got)
	}
}

type hearer struct{ written, renamed, removed atomic.Int32 }

func (h *hearer) Written(string)         { h.written.Add(1) }
func (h *hearer) Renamed(string, string) { h.renamed.Add(1) }
func (h *hearer) Removed(string)         { h.removed.Add(1) }

func TestReaderIsTold(t *testing.T) {
	s, _ := newStore(t)
	h := &hearer{}
	s.Reader = h
	stored(t, s, "shop", say(1))
	if err := s.Rename(t.Context(), "shop", "store"); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), "store"); err != nil {
		t.Fatal(err)
	}
	if h.written.Load() != 1 || h.renamed.Load() != 1 || h.removed.Load() != 1 {
		t.Errorf("written %d, renamed %d, removed %d", h.written.Load(), h.renamed.Load(), h.removed.Load())
	}
}

func BenchmarkRead(b *testing.B) {
	s, _ := newStore(b)
	for i := range 50_000 {
		l := say(i)
		l.Text = strings.Repeat("x", 80)
		s.Append("shop", l)
		if i%2048 == 0 {
			tail(b, s, "shop", 1)
		}
	}
	for b.Loop() {
		for next, n := (core.LogPosition{}), 1; n > 0; {
			p := page(b, s, "shop", next, 1000)
			next, n = p.Next, len(p.Lines)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/50_000, "ns/line")
}
