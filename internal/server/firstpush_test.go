package server

import (
	"errors"
	"testing"
)

// TestPushesToAnAppThatOneOfThemMade: the last one to end removes it, and only then. An app that was there stays.
func TestPushesToAnAppThatOneOfThemMade(t *testing.T) {
	for _, tt := range []struct {
		name string
		made []bool // by each of the pushes, which begin in this order
		ends []int  // the order in which they end
		want int    // after how many ends the app is removed; 0: never
	}{
		{"one, which made it", []bool{true}, []int{0}, 1},
		{"one, to an app that was there", []bool{false}, []int{0}, 0},
		{"the maker ends last", []bool{true, false}, []int{1, 0}, 2},
		{"the maker ends first", []bool{true, false}, []int{0, 1}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p pushes
			var ends []func(func())
			for _, made := range tt.made {
				end, err := p.begin("shop", func() (bool, error) { return made, nil })
				if err != nil {
					t.Fatal(err)
				}
				ends = append(ends, end)
			}
			removed := 0
			for n, i := range tt.ends {
				ends[i](func() { removed = n + 1 })
			}
			if removed != tt.want {
				t.Errorf("removed after %d ends, want %d", removed, tt.want)
			}
			if len(p.apps) != 0 {
				t.Errorf("still under way: %v", p.apps)
			}
		})
	}
}

// TestPushThatCannotBegin: the app was made, and its repository was not.
func TestPushThatCannotBegin(t *testing.T) {
	var p pushes
	full := errors.New("the disk is full")
	end, err := p.begin("shop", func() (bool, error) { return true, full })
	if !errors.Is(err, full) {
		t.Errorf("begin: %v", err)
	}
	removed := false
	end(func() { removed = true })
	if !removed {
		t.Error("the app stays")
	}
}
