package main

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// TestPartitionByName: a part is found by its whole name, and one of another disk is not taken for it.
func TestPartitionByName(t *testing.T) {
	uevent := func(lines string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(lines)} }
	block := fstest.MapFS{
		"vda/uevent":  uevent("DEVNAME=vda\nDEVTYPE=disk\n"),
		"vda1/uevent": uevent("DEVNAME=vda1\nPARTN=1\nPARTNAME=app-0000000000000000\n"),
		"vdb1/uevent": uevent("DEVNAME=vdb1\nPARTN=1\nPARTNAME=base-0011223344556677\n"),
		"vdb2/uevent": uevent("DEVNAME=vdb2\nPARTN=2\nPARTNAME=app-0011223344556677\n"),
	}
	if dev, err := partitionByName(block, guest.PartitionName(guest.DiskApp, "0011223344556677")); err != nil || dev != "vdb2" {
		t.Errorf("got %q, %v", dev, err)
	}
	if dev, err := partitionByName(block, guest.PartitionName(guest.DiskDeps, "0011223344556677")); !errors.Is(err, errNoDevice) {
		t.Errorf("got %q, %v", dev, err)
	}
}

// TestAloneStartsAgain: without gitd there is nobody who would look at a release that has failed, so an app that has
// never listened is started again too.
func TestAloneStartsAgain(t *testing.T) {
	st := newStage(t)
	st.fail = errors.New("no such program")
	st.messages <- guest.Message{Kind: guest.KindStart, Start: &guest.Start{Args: []string{"node"}, Alone: true}}
	st.sent.await(`the app starts again in 1s`)
	st.stops <- 0
	if err := <-st.over; err != nil {
		t.Error(err)
	}
}

func TestShown(t *testing.T) {
	for _, tt := range []struct {
		m    guest.Message
		want string
	}{
		{guest.Message{Kind: guest.KindLog, Log: &guest.Log{Stream: "stdout", Line: "words"}}, "words"},
		{guest.Message{Kind: guest.KindLog, Log: &guest.Log{Stream: "init", Line: "words"}}, "nodeos-init: words"},
		{guest.Message{Kind: guest.KindListening}, "nodeos-init: the app listens"},
		{guest.Message{Kind: guest.KindExited, Exited: &guest.Exited{Reason: "exit code 1"}}, "nodeos-init: the app has ended: exit code 1"},
		{guest.Message{Kind: guest.KindMisplaced, Misplaced: &guest.Misplaced{Address: "127.0.0.1:1"}},
			"nodeos-init: the app listens on 127.0.0.1:1, where no connections can be led"},
		{guest.Message{Kind: guest.KindBeat, Beat: &guest.Clock{}}, ""},
	} {
		if got := shown(tt.m); got != tt.want {
			t.Errorf("%s: %q instead of %q", tt.m.Kind, got, tt.want)
		}
	}
}
