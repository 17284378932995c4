package guard

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// maxSources bounds the memory of one limit: who asked least lately is forgotten, and begins anew. Who has more
// addresses than that is not held by a limit for each.
const maxSources = 8192

// buckets count for each address how much it may still do: at most size at once, and one more every so often. Rejected:
// golang.org/x/time/rate, which cannot give back what was taken for a guess that was right.
type buckets struct {
	size  float64
	every time.Duration

	mu    sync.Mutex
	of    map[netip.Addr]*list.Element
	order *list.List // of *bucket, the latest first
}

type bucket struct {
	from netip.Addr
	left float64
	at   time.Time
}

func newBuckets(size int, every time.Duration) *buckets {
	return &buckets{size: float64(size), every: every, of: map[netip.Addr]*list.Element{}, order: list.New()}
}

// take takes one for from; or nothing, and says how long it is until there is one.
func (s *buckets) take(from netip.Addr, now time.Time) (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.find(from, now)
	b.left = min(s.size, b.left+float64(max(0, now.Sub(b.at)))/float64(s.every))
	b.at = now
	if b.left < 1 {
		return max(1, time.Duration((1-b.left)*float64(s.every)))
	}
	b.left--
	return 0
}

// giveBack undoes a take.
func (s *buckets) giveBack(from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.of[from]; ok {
		b := e.Value.(*bucket)
		b.left = min(s.size, b.left+1)
	}
}

func (s *buckets) find(from netip.Addr, now time.Time) *bucket {
	if e, ok := s.of[from]; ok {
		s.order.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if last := s.order.Back(); len(s.of) >= maxSources {
		delete(s.of, last.Value.(*bucket).from)
		s.order.Remove(last)
	}
	b := &bucket{from, s.size, now}
	s.of[from] = s.order.PushFront(b)
	return b
}
