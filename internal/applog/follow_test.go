package applog

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func follow(t *testing.T, s *Store, ctx context.Context, n int) <-chan core.Line {
	t.Helper()
	lines, err := s.Follow(ctx, "shop", n)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func receive(lines <-chan core.Line, n int) []string {
	var all []string
	for range n {
		l, ok := <-lines
		if !ok {
			break
		}
		all = append(all, l.Text)
	}
	return all
}

func TestFollow(t *testing.T) {
	s, _ := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	for i := range 5 {
		s.Append("shop", say(i))
	}
	all, last, none := follow(t, s, ctx, 99), follow(t, s, ctx, 2), follow(t, s, ctx, 0)
	for i := 5; i < 8; i++ {
		s.Append("shop", say(i))
		s.Append("blog", say(100+i))
	}
	if have := receive(all, 8); !reflect.DeepEqual(have, numbers(0, 7)) {
		t.Errorf("all: %q", have)
	}
	if have := receive(last, 5); !reflect.DeepEqual(have, numbers(3, 7)) {
		t.Errorf("last two and on: %q", have)
	}
	if have := receive(none, 3); !reflect.DeepEqual(have, numbers(5, 7)) {
		t.Errorf("new ones: %q", have)
	}
	cancel()
	for _, c := range []<-chan core.Line{all, last, none} {
		for l := range c {
			t.Errorf("a line that nobody said: %+v", l)
		}
	}
	s.followers.Wait() // no goroutine is left
	if n := len(s.streams["shop"].followers); n != 0 {
		t.Errorf("%d followers are left", n)
	}
}

// TestFollowJoins: a follower that joins while lines are written gets each line once, some from the history and some
// live.
func TestFollowJoins(t *testing.T) {
	const lines, readers = maxBehind, 8 // so that no reader can be too slow
	s, _ := newStore(t)
	var all sync.WaitGroup
	for r := range readers {
		all.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			c, err := s.Follow(ctx, "shop", lines)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range lines {
				if l := <-c; l.Text != strconv.Itoa(i) {
					t.Errorf("reader %d: line %d is %q", r, i, l.Text)
					return
				}
			}
		})
	}
	for i := range lines {
		s.Append("shop", say(i))
	}
	all.Wait()
}

// TestFollowerOfLongLines: lines as long as they may be would take 16 MiB for each reader that does not read.
func TestFollowerOfLongLines(t *testing.T) {
	f := newFollower()
	for range maxBehind {
		f.offer(core.Line{Text: strings.Repeat("x", maxText)})
	}
	lines := f.take()
	if n := len(lines); n != maxBytes/maxText+1 || !strings.Contains(lines[n-1].Text, "lines skipped here") {
		t.Errorf("%d lines wait, the last is %.60q", n, lines[n-1].Text)
	}
	if f.offer(core.Line{Text: "next"}); len(f.take()) != 1 {
		t.Error("there is no room again")
	}
}

// TestSlowFollower: a reader that does not read does not hold up the app. Later it learns how many lines it missed, and
// where.
func TestSlowFollower(t *testing.T) {
	s, _ := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := follow(t, s, ctx, 0)
	const said = 3 * maxBehind
	for i := range said {
		s.Append("shop", say(i))
	}
	s.Append("shop", say(said))
	next, lost := 0, 0
	for next <= said {
		l := <-c
		var n int
		if _, err := fmt.Sscanf(l.Text, "%d lines skipped", &n); err == nil && strings.Contains(l.Text, "skipped") {
			lost += n
			next += n
			continue
		}
		if l.Text != strconv.Itoa(next) {
			t.Fatalf("line %q, want %d", l.Text, next)
		}
		next++
	}
	if lost == 0 {
		t.Error("nothing was lost: the test is too small")
	}
	if have := texts(tail(t, s, "shop", 1)); !reflect.DeepEqual(have, []string{strconv.Itoa(said)}) {
		t.Errorf("stored: %q", have)
	}
}
