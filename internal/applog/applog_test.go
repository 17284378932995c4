package applog

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

func newStore(t testing.TB) (s *Store, dir string) {
	t.Helper()
	dir = t.TempDir()
	s = Open(func(app string) string { return filepath.Join(dir, app+".log") })
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, dir
}

func say(n int) core.Line {
	return core.Line{Time: time.Unix(0, int64(n)+1).UTC(), Release: 3, Machine: "shop-v3-aa", Stream: "stdout", Text: strconv.Itoa(n)}
}

func tail(t testing.TB, s *Store, app string, n int) []core.Line {
	t.Helper()
	lines, err := collect(s.Tail(app, n, nil))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func collect(all iter.Seq2[core.Line, error]) (lines []core.Line, err error) {
	for l, err := range all {
		if err != nil {
			return lines, err
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func texts(lines []core.Line) []string {
	var all []string
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return all
}

func numbers(from, to int) []string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

func TestTail(t *testing.T) {
	s, dir := newStore(t)
	if lines := tail(t, s, "shop", 5); len(lines) != 0 {
		t.Errorf("an app that said nothing: %+v", lines)
	}
	for i := range 10 {
		s.Append("shop", say(i))
		s.Append("blog", say(100+i))
	}
	for _, tt := range []struct {
		n    int
		want []string
	}{{0, nil}, {-1, nil}, {1, numbers(9, 9)}, {4, numbers(6, 9)}, {10, numbers(0, 9)}, {99, numbers(0, 9)}} {
		if have := texts(tail(t, s, "shop", tt.n)); !reflect.DeepEqual(have, tt.want) {
			t.Errorf("tail %d: %q, want %q", tt.n, have, tt.want)
		}
	}
	want := say(9)
	want.Machine = "" // not stored
	if have := tail(t, s, "shop", 1)[0]; have != want {
		t.Errorf("have %+v, want %+v", have, want)
	}
	info, err := os.Stat(filepath.Join(dir, "shop.log"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v", info, err)
	}
}

// TestHostile: whatever a machine prints becomes one line of bounded length, which does nothing to a terminal.
func TestHostile(t *testing.T) {
	now := time.Now()
	tests := []struct {
		name string
		line core.Line
		text string
	}{
		{"newlines", core.Line{Text: "a\nb\r\nc\rd"}, "a b c d"},
		{"forged line", core.Line{Text: "x\n2026-01-01T00:00:00Z v9 stdout forged"}, "x 2026-01-01T00:00:00Z v9 stdout forged"},
		{"escapes", core.Line{Text: "\x1b[31mred\x1b[0m\x07\x00"}, "red"},
		{"not UTF-8", core.Line{Text: "a\xffb"}, "ab"},
		{"letters", core.Line{Text: "grüße 日本 🎉"}, "grüße 日本 🎉"},
		{"empty", core.Line{}, ""},
		{"spaces", core.Line{Text: "  a  b  "}, "  a  b  "},
		{"long", core.Line{Text: strings.Repeat("x", maxText+5)}, strings.Repeat("x", maxText)},
		{"stream", core.Line{Stream: "std out\n", Text: "a"}, "a"},
		{"year", core.Line{Time: time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC), Text: "a"}, "a"},
		{"release", core.Line{Release: -1, Text: "a"}, "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := newStore(t)
			s.Append("shop", say(1))
			s.Append("shop", tt.line)
			s.Append("shop", say(2))
			lines := tail(t, s, "shop", 9)
			if have := texts(lines); !reflect.DeepEqual(have, []string{"1", tt.text, "2"}) {
				t.Fatalf("have %.200q", have)
			}
			if at := lines[1].Time; at.Before(now.Add(-time.Minute)) || at.After(now.Add(time.Minute)) {
				t.Errorf("time %s", at)
			}
		})
	}
}

func TestBadNames(t *testing.T) {
	s, dir := newStore(t)
	for _, app := range []string{"", "..", "../x", "a/b", "A"} {
		s.Append(app, say(1))
		if _, err := collect(s.Tail(app, 1, nil)); !errors.Is(err, core.ErrBadName) {
			t.Errorf("Tail(%q): %v, want ErrBadName", app, err)
		}
		if _, err := s.Follow(t.Context(), app, 1); !errors.Is(err, core.ErrBadName) {
			t.Errorf("Follow(%q): %v, want ErrBadName", app, err)
		}
	}
	for _, d := range []string{dir, filepath.Dir(dir)} {
		logs, err := filepath.Glob(filepath.Join(d, "*.log"))
		if err != nil || len(logs) > 0 {
			t.Errorf("files: %q, %v", logs, err)
		}
	}
}

// TestRotation writes more than is kept. The last lines are read from several files, and the files take no more room
// than their limits allow.
func TestRotation(t *testing.T) {
	const lines, size = 40_000, 1000
	s, dir := newStore(t)
	pad := strings.Repeat("x", size)
	for i := range lines {
		s.Append("shop", core.Line{Time: time.Unix(1, 0), Stream: "stdout", Text: strconv.Itoa(i) + " " + pad})
		if i%1000 == 0 {
			tail(t, s, "shop", 1) // waits for the disk, so that the queue does not overflow
		}
	}
	const want = 15_000 // more than one file holds
	have := tail(t, s, "shop", want)
	if len(have) != want {
		t.Fatalf("%d lines, want %d", len(have), want)
	}
	for i, l := range have {
		if n, _, _ := strings.Cut(l.Text, " "); n != strconv.Itoa(lines-want+i) {
			t.Fatalf("line %d is %q, want %d", i, n, lines-want+i)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	current, err := os.Stat(filepath.Join(dir, "shop.log"))
	if err != nil || current.Size() > fileSize<<20 {
		t.Errorf("current file: %v, %v", current, err)
	}
	old, err := oldPaths(filepath.Join(dir, "shop.log"))
	if err != nil || len(old) < oldFiles {
		t.Errorf("old files: %q, %v", old, err)
	}
	for _, p := range old {
		if info, err := os.Stat(p); err == nil && (info.Mode().Perm() != 0o600 || info.Size() > fileSize<<20) {
			t.Errorf("%s: %v", p, info)
		}
	}
}

// TestNamesBesideRotation: an app may have a name that looks like an old file of another app. Its lines are not shown
// as lines of the other app.
func TestNamesBesideRotation(t *testing.T) {
	s, _ := newStore(t)
	s.Append("shop-2026-01-01t00-00-00", say(1))
	s.Append("shop-2026-01-01t00-00-00", say(2))
	s.Append("shop", say(3))
	tail(t, s, "shop-2026-01-01t00-00-00", 1)
	if have := texts(tail(t, s, "shop", 9)); !reflect.DeepEqual(have, []string{"3"}) {
		t.Errorf("have %q", have)
	}
}

// TestTorn: a line that a crash has cut off damages no later line.
func TestTorn(t *testing.T) {
	for _, rest := range []string{"1970-01-01T00:00:00.5Z v3 stdout cut o", "1970-01-01T00:0", "\x00\x00\x00"} {
		s, dir := newStore(t)
		s.Append("shop", say(1))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "shop.log")
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(content, rest...), 0o600); err != nil {
			t.Fatal(err)
		}
		s = Open(func(string) string { return path })
		s.Append("shop", say(2))
		have := texts(tail(t, s, "shop", 9))
		if len(have) < 2 || have[0] != "1" || have[len(have)-1] != "2" {
			t.Errorf("after %q: %q", rest, have)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFails: lines that cannot be stored are counted, and the count is
// stored when the disk is back.
func TestDiskFails(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "logs")
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // a file where the folder should be
		t.Fatal(err)
	}
	s := Open(func(app string) string { return filepath.Join(folder, app+".log") })
	s.Append("shop", say(1))
	s.Append("shop", say(2))
	if _, err := collect(s.Tail("shop", 1, nil)); err == nil {
		t.Error("a broken folder was read")
	}
	if err := errors.Join(os.Remove(folder), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	s.Append("shop", say(3))
	have := texts(tail(t, s, "shop", 9))
	if len(have) != 2 || !strings.HasPrefix(have[0], "2 lines could not be stored: ") || have[1] != "3" {
		t.Errorf("have %q", have)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOverflow: while the disk hangs, Append returns at once. The number of lost lines is stored where they are
// missing.
func TestOverflow(t *testing.T) {
	s, _ := newStore(t)
	s.Append("shop", say(0))
	tail(t, s, "shop", 1)
	st := s.streams["shop"]
	st.disk.Lock() // the disk hangs
	for i := 1; i <= maxQueue+7; i++ {
		s.Append("shop", say(i))
	}
	st.disk.Unlock()
	have := texts(tail(t, s, "shop", 2))
	want := []string{strconv.Itoa(maxQueue), "7 lines were not stored: they came faster than the disk"}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("have %q, want %q", have, want)
	}
}

func TestClosed(t *testing.T) {
	s, _ := newStore(t)
	s.Append("shop", say(1))
	lines, err := s.Follow(t.Context(), "shop", 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range lines {
		t.Error("a line after the end")
	}
	s.Append("shop", say(2))
	if _, err := s.Follow(t.Context(), "shop", 0); !errors.Is(err, errClosed) {
		t.Errorf("follow: %v, want errClosed", err)
	}
	if have := texts(tail(t, s, "shop", 9)); !reflect.DeepEqual(have, []string{"1"}) {
		t.Errorf("stored: %q", have)
	}
}

// FuzzLine: what is written is read back as one line, whatever the machine
// said.
func FuzzLine(f *testing.F) {
	f.Add("stdout", "hello", int64(1), 3)
	f.Add("std\nerr", "\x1b[1m\r\n", int64(-1), -3)
	f.Fuzz(func(t *testing.T, stream, text string, at int64, release int) {
		want := clean(core.Line{Time: time.Unix(at, at), Release: release, Stream: stream, Text: text})
		coded := string(encode(nil, want))
		if strings.Count(coded, "\n") != 1 {
			t.Fatalf("%q", coded)
		}
		if have, ok := decode(strings.TrimSuffix(coded, "\n")); !ok || have != want {
			t.Fatalf("have %+v, want %+v", have, want)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	s, _ := newStore(b)
	l := say(1)
	l.Text = strings.Repeat("x", 120)
	b.ReportAllocs()
	for b.Loop() {
		s.Append("shop", l)
	}
}

// BenchmarkTail reads the last 100 lines of a full file.
func BenchmarkTail(b *testing.B) {
	s, dir := newStore(b)
	line := fmt.Sprintf("2026-01-01T00:00:00Z v1 stdout %s\n", strings.Repeat("x", 120))
	if err := os.WriteFile(filepath.Join(dir, "shop.log"), []byte(strings.Repeat(line, 60_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if n := len(tail(b, s, "shop", 100)); n != 100 {
			b.Fatal(n)
		}
	}
}

// TestTailKeepsNothing: `logs -n 100000000` by somebody who did not read had the whole log in memory, 3 GB of it.
func TestTailKeepsNothing(t *testing.T) {
	s, dir := newStore(t)
	line := "2026-01-01T00:00:00Z v1 stdout x\n"
	if err := os.WriteFile(filepath.Join(dir, "shop.log"), []byte(strings.Repeat(line, 300_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n := 0
	for _, err := range s.Tail("shop", 100_000_000, nil) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 150_000 { // a reader that takes its time
			runtime.GC()
			runtime.ReadMemStats(&during)
		}
	}
	if n != 300_000 {
		t.Errorf("%d lines", n)
	}
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("%d bytes are kept in the middle", grown)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	from, err := s.Follow(ctx, "shop", 100_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300_000 {
		if <-from; i == 150_000 {
			runtime.GC()
			runtime.ReadMemStats(&during)
		}
	}
	if grown := int64(during.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("a follower has %d bytes of older lines in memory", grown)
	}
}

func TestTailOf(t *testing.T) {
	s, _ := newStore(t)
	for i := range 30 {
		l := say(i)
		l.Release = 1 + i%3
		s.Append("shop", l)
	}
	for n, want := range map[int][]string{0: nil, 2: {"25", "28"}, 100: {"1", "4", "7", "10", "13", "16", "19", "22", "25", "28"}} {
		lines, err := collect(s.Tail("shop", n, func(l core.Line) bool { return l.Release == 2 }))
		if err != nil || !reflect.DeepEqual(texts(lines), want) {
			t.Errorf("last %d of v2: %v, %v, want %v", n, texts(lines), err, want)
		}
	}
	if lines, err := collect(s.Tail("shop", 5, func(l core.Line) bool { return l.Release == 9 })); err != nil || len(lines) != 0 {
		t.Errorf("a release that said nothing: %v, %v", lines, err)
	}
}
