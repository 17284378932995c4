package guest_test

import (
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// TestFullConfigReachesTheGuest: the largest config that CheckVars lets pass fits into one message, however its bytes
// are escaped there, with room for everything else.
func TestFullConfigReachesTheGuest(t *testing.T) {
	for name, unit := range map[string]string{"plain": "x", "escaped": "<", "control": "\x01", "two bytes": "ä", "separator": "\u2028", "newlines": "\n"} {
		vars := map[string]string{}
		for i := range 40 {
			vars["NAME_"+strings.Repeat("N", i)] = ""
		}
		n := 1
		for vars["BIG"] = unit; core.CheckVars(vars) == nil; vars["BIG"] = strings.Repeat(unit, n) {
			n += 500
		}
		vars["BIG"] = strings.Repeat(unit, n-500)
		if err := core.CheckVars(vars); err != nil {
			t.Fatal(err)
		}
		start := guest.Start{Args: []string{"/usr/bin/node", strings.Repeat("a", 4096)}, Hostname: "shop"}
		for name, value := range vars {
			start.Env = append(start.Env, name+"="+value)
		}
		b, err := guest.Encode(guest.Message{Kind: guest.KindStart, Start: &start})
		if err != nil || len(b) > guest.MaxMessage-32<<10 {
			t.Errorf("%s: %d bytes of a message's %d, %v", name, len(b), guest.MaxMessage, err)
		}
	}
}
