package filelock

import (
	"context"
	"path/filepath"
	"testing"
)

func TestLockIsLeftWhenTheContextEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Take(t.Context(), path, func() { t.Error("busy") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Take(ctx, path, cancel); err == nil {
		t.Fatal("two have the lock")
	}
	unlock()
	// The waiter that gave up must let go.
	again, err := Take(t.Context(), path, func() {})
	if err != nil {
		t.Fatal(err)
	}
	again()
}
