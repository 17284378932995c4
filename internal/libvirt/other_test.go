package libvirt

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestRemoteDriverThatDoesNotAnswer: whether machines run on another host is not known then, and nothing is begun.
func TestRemoteDriverThatDoesNotAnswer(t *testing.T) {
	if testing.Short() {
		t.Skip("needs libvirt")
	}
	d := &Driver{machineFiles: machineFiles{state: core.StateDir(t.TempDir())}, log: zerolog.Nop()}
	_, err := remoteMachines(t.Context(), d, "qemu+tcp://127.0.0.1:1/system")
	if err == nil || !strings.Contains(err.Error(), "may still run where they did before") ||
		!strings.Contains(err.Error(), "remove "+d.usedFile()) {
		t.Error(err)
	}
}
