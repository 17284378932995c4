package core

import "testing"

// TestLinkEnds: no two links of an app have an address or a name in common, also after renames.
func TestLinkEnds(t *testing.T) {
	ends := LinkEnds([]Link{
		{ID: 1, Target: "store", Name: "db"}, {ID: 2, Target: "db", Name: "db"}, {ID: 3, Target: "cache", Name: "old"}, {ID: 4, Target: "other", Name: "old"},
	})
	names, addrs := map[string]bool{}, map[string]bool{}
	for _, e := range ends {
		if addrs[e.Addr().String()] || !linkRange.Contains(e.Addr()) {
			t.Errorf("%d has the address %s", e.ID, e.Addr())
		}
		addrs[e.Addr().String()] = true
		for _, n := range e.Names {
			if names[n] {
				t.Errorf("%s leads to two apps", n)
			}
			names[n] = true
		}
	}
	if ends[1].Names[0] != "db" || len(ends[0].Names) != 1 {
		t.Errorf("the app that is called db now is not db: %+v", ends)
	}
	for _, id := range []int64{1, 254, 255, 256, 65535, 65536, 131069, 131070, 131071, 1 << 40} {
		if a := (LinkEnd{ID: id}).Addr(); !linkRange.Contains(a) || a == linkRange.Addr() {
			t.Errorf("%d: %s", id, a)
		}
	}
}
