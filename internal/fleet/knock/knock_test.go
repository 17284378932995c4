package knock

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core/guestport"
)

// TestAll: a port that is taken late is waited for, and one that is never taken is named.
func TestAll(t *testing.T) {
	addr := filepath.Join(t.TempDir(), "app")
	l, err := net.Listen("unix", guestport.Door(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for asked := 0; ; {
			c, err := l.Accept()
			if err != nil {
				return
			}
			port, _, err := guestport.Read(c)
			if asked++; err == nil && port == 5432 && asked > 1 {
				guestport.Confirm(c) //nolint:errcheck // the other side says what it has got
			}
			c.Close()
		}
	}()
	if err := All(t.Context(), addr, []int{5432}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*pause)
	defer cancel()
	if err := All(ctx, addr, []int{5432, 6000}); err == nil || !strings.Contains(err.Error(), "does not listen on port 6000") {
		t.Error(err)
	}
	cancel()
	if err := All(ctx, addr, nil); err != nil {
		t.Error(err)
	}
}
