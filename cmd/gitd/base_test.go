package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nodeos-dev/gitd/internal/base"
)

// mostBase is how many bytes a base may take besides Node, with each part packed by zstd -19: NodeOS promises that.
const mostBase = 6_000_000

// TestBaseSize checks the promise of mostBase.
func TestBaseSize(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a base")
	}
	if ok, err := condition("minimal"); !ok || err != nil {
		t.Skipf("the minimal kernel is not compiled (%v): make base does that", err)
	}
	state, id := warmBase(t)
	out, err := exec.Command(filepath.Join(bin, "gitd"), "base:sizes", id, "--json", "--state", state).Output()
	if err != nil {
		t.Fatal(err)
	}
	var sizes base.Sizes
	if err := json.Unmarshal(out, &sizes); err != nil {
		t.Fatal(err)
	}
	if total := sizes.Total().Packed; total > mostBase {
		t.Errorf("all but Node takes %d bytes, %d more than is promised: %+v", total, total-mostBase, sizes.Parts)
	} else {
		t.Logf("all but Node takes %d of %d bytes", total, mostBase)
	}
}
