package progress

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// stuck is a client that takes nothing until it is let go.
type stuck struct {
	letGo chan struct{}
	mu    sync.Mutex
	bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.letGo
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(p)
}

// TestStuckClient: a client that takes nothing, such as a suspended one, does not delay the writer, and costs no more
// than a bounded amount of memory.
func TestStuckClient(t *testing.T) {
	s := &stuck{letGo: make(chan struct{})}
	p := NewPatient(s)
	line := strings.Repeat("x", 1023) + "\n"
	for range 5 * maxUnsent / len(line) {
		p.Write([]byte(line)) //nolint:errcheck // it never fails
	}
	p.mu.Lock()
	if len(p.unsent) > maxUnsent || p.lost == 0 {
		t.Errorf("%d bytes wait, %d were lost", len(p.unsent), p.lost)
	}
	p.mu.Unlock()
	close(s.letGo)
	p.End()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.HasSuffix(s.String(), "nobody read them\n") || s.Len() > 3*maxUnsent {
		t.Errorf("%d bytes arrived, the last: %.99q", s.Len(), s.String()[max(0, s.Len()-99):])
	}
}

// TestAllIsSent: what was written before End has arrived when End returns, in order.
func TestAllIsSent(t *testing.T) {
	var b bytes.Buffer
	p := NewPatient(&b)
	var want strings.Builder
	for i := range 1000 {
		s := strings.Repeat("y", i%7) + "\n"
		want.WriteString(s)
		p.Write([]byte(s)) //nolint:errcheck // it never fails
	}
	start := time.Now()
	p.End()
	if b.String() != want.String() {
		t.Errorf("%d bytes arrived, want %d", b.Len(), want.Len())
	}
	if took := time.Since(start); took >= lastSend {
		t.Errorf("the end took %s", took)
	}
}
