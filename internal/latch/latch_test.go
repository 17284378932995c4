package latch

import "testing"

func TestLatch(t *testing.T) {
	c := make(chan struct{})
	if Closed(c) {
		t.Error("a new channel is closed")
	}
	for range 2 {
		Close(c)
		if !Closed(c) {
			t.Error("a closed channel is open")
		}
	}
}
