package jails

import "testing"

// TestRangeOf reads lines as subuid(5) describes them.
func TestRangeOf(t *testing.T) {
	for line, want := range map[string][2]uint32{
		"gitd:100000:65536": {100000, 65536}, "102:200000:4": {200000, 4}, " gitd:1:2\n": {1, 2},
		"gitd:0:65536": {}, "gitd:100000:1": {}, "gitd:4294967295:2": {}, "gitd:x:2": {}, "gitd:1": {}, "": {}, "gi:1:2": {},
		"gitd:-5:65536": {}, "gitd:1:65536:9": {},
	} {
		first, count, ok := rangeOf(line, "gitd", 102)
		if got := [2]uint32{first, count}; got != want || ok != (want[0] != 0) {
			t.Errorf("%q: %d, %t, want %d", line, got, ok, want)
		}
	}
}

// TestIDs: no two machines have an id in common, those of a machine that was found running included, and ids that were
// freed are given again last.
func TestIDs(t *testing.T) {
	s := &ids{uid: 1000, gid: 5000, places: 3, taken: map[string]int{}, last: -1}
	take := func(machine string, want uint32) {
		t.Helper()
		uid, gid, err := s.take(machine)
		if err != nil || uid != want || gid != want+4000 {
			t.Errorf("%s: %d, %d, %v; want %d", machine, uid, gid, err, want)
		}
	}
	s.adopt("old", 1002)
	s.adopt("of another range", 999)
	take("a", 1004)
	take("b", 1000)
	if _, _, err := s.take("c"); err == nil {
		t.Error("a fourth machine got ids of another one")
	}
	s.free("a")
	s.free("old")
	take("c", 1002)
	take("d", 1004)
}
