package coretest

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func (w *world) createVolume(name, mount string) core.Volume {
	w.t.Helper()
	if err := w.core.CreateVolume(w.t.Context(), core.Host(), "shop", name, core.MinVolume, mount, nil); err != nil {
		w.t.Fatal(err)
	}
	list, err := w.ledger.Volumes(w.t.Context(), "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	for _, v := range list {
		if v.Name == name {
			return v
		}
	}
	w.t.Fatalf("no volume %q in %v", name, list)
	return core.Volume{}
}

func (w *world) lastSpec() core.MachineSpec {
	w.driver.mu.Lock()
	defer w.driver.mu.Unlock()
	return w.driver.specs[len(w.driver.specs)-1]
}

// rejection returns the text of err with its hint, or says that err is no rejection.
func rejection(err error) string {
	var r *core.Rejection
	if !errors.As(err, &r) {
		return "no rejection: " + errString(err)
	}
	return r.Reason + " / " + r.Hint
}

func errString(err error) string {
	if err == nil {
		return "nil"
	}
	return err.Error()
}

// TestVolumeStopsFirst: an app with a volume never has two machines. Its requests wait from before the old machine ends
// until the new one serves.
func TestVolumeStopsFirst(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	v := w.createVolume("data", "/data")
	var alone, held bool
	w.driver.app = func(m *fakeMachine) {
		w.router.mu.Lock()
		held = len(w.router.held) == 1 && w.router.to["shop"] == ""
		w.router.mu.Unlock()
		alone = w.driver.count() == 1
		healthy(m)
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	if !alone || !held {
		t.Errorf("alone %v, requests held %v", alone, held)
	}
	if n, answer := w.live(); n != 2 || answer != "v2" {
		t.Errorf("v%d answers %q", n, answer)
	}
	spec := w.lastSpec()
	disk, mount := spec.Disks[len(spec.Disks)-1], spec.Mounts
	if disk != (core.Disk{Serial: "vol-data", Path: w.state.Volume(v.ID), Writable: true}) ||
		len(mount) != 1 || mount[0] != (core.Mount{Serial: "vol-data", Path: "/data"}) {
		t.Errorf("the machine has the disk %+v, mounted %+v", disk, mount)
	}

	// If a release does not come up, the old one is started again.
	w.driver.app = func(m *fakeMachine) {
		if m.Release == 3 {
			m.watch(core.Event{Kind: core.EventGone, Detail: "kernel panic"})
			return
		}
		healthy(m)
	}
	reject, out := w.push(commit(2), commit(3))
	if !strings.Contains(reject, "the app did not start: kernel panic") || !strings.Contains(out, "v2 serves again") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
	if n, answer := w.live(); n != 2 || answer != "v2" || w.driver.count() != 1 {
		t.Errorf("v%d answers %q from one of %d machines", n, answer, w.driver.count())
	}
}

// TestVolumeRemoval: data is removed only if somebody asks for it and no machine has it.
func TestVolumeRemoval(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	v := w.createVolume("data", "/data")
	more := w.createVolume("more", "/app/more")
	ctx, host := t.Context(), core.Host()

	// A volume that the running machine does not have yet can be removed.
	if err := w.core.RemoveVolume(ctx, host, "shop", "more", nil); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(w.state.Volume(more.ID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a removed volume: %v", err)
	}
	if err := w.core.Redeploy(ctx, host, "shop", core.ByRestart, nil); err != nil {
		t.Fatal(err)
	}
	if got := rejection(w.core.RemoveVolume(ctx, host, "shop", "data", nil)); !strings.Contains(got, "in use") || !strings.Contains(got, "ps:stop shop") {
		t.Error(got)
	}
	if got := rejection(w.core.RemoveVolume(ctx, host, "shop", "nope", nil)); !strings.Contains(got, `shop has no volume "nope"`) {
		t.Error(got)
	}
	if got := rejection(w.core.DestroyApp(ctx, host, "shop", nil)); !strings.Contains(got, "would be lost") || !strings.Contains(got, "volumes:remove shop data --confirm data") {
		t.Error(got)
	}
	if n, answer := w.live(); n != 2 || answer != "v2" {
		t.Errorf("after refusals v%d answers %q", n, answer)
	}
	if err := w.core.StopApp(ctx, host, "shop", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.core.RemoveVolume(ctx, host, "shop", "data", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(w.state.Volume(v.ID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of a removed volume: %v", err)
	}
	if err := w.core.StartApp(ctx, host, "shop", nil); err != nil {
		t.Fatal(err)
	}
	if spec := w.lastSpec(); len(spec.Mounts) != 0 {
		t.Errorf("mounts of a volume that is gone: %+v", spec.Mounts)
	}
	if err := w.core.DestroyApp(ctx, host, "shop", nil); err != nil {
		t.Error(err)
	}
}

// TestVolumeRefused: an impossible volume is refused before anything is made.
func TestVolumeRefused(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.createVolume("data", "/data")
	ctx, host := t.Context(), core.Host()
	for _, tt := range []struct {
		name, mount string
		size        int64
		want        string
	}{
		{"data", "/app/x", core.MinVolume, "already"},
		{"more", "/data", core.MinVolume, "would hide"},
		{"../../x", "/app/x", core.MinVolume, "no name"},
		{"more", "/etc", core.MinVolume, "no place"},
		{"more", "/app/x", 1, "out of range"},
	} {
		if got := rejection(w.core.CreateVolume(ctx, host, "shop", tt.name, tt.size, tt.mount, nil)); !strings.Contains(got, tt.want) {
			t.Errorf("%q at %s: %s", tt.name, tt.mount, got)
		}
	}
	if err := w.core.CreateVolume(ctx, host, "nope", "data", core.MinVolume, "/data", nil); !errors.Is(err, core.ErrNotFound) {
		t.Errorf("an unknown app: %v", err)
	}
	if files, err := os.ReadDir(w.state.Volumes()); err != nil || len(files) != 2 { // the volume and its label
		t.Errorf("%d files, %v", len(files), err)
	}
}

// TestVolumeFollowsItsApp: a renamed app finds its data, and an app whose data is lost is not started on an empty disk.
func TestVolumeFollowsItsApp(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	v := w.createVolume("data", "/data")
	ctx, host := t.Context(), core.Host()
	if err := w.core.RenameApp(ctx, host, "shop", "store"); err != nil {
		t.Fatal(err)
	}
	if err := w.core.Redeploy(ctx, host, "store", core.ByRestart, nil); err != nil {
		t.Fatal(err)
	}
	if spec := w.lastSpec(); len(spec.Mounts) != 1 || spec.Disks[len(spec.Disks)-1].Path != w.state.Volume(v.ID) {
		t.Errorf("the renamed app has %+v, %+v", spec.Disks, spec.Mounts)
	}
	if err := os.Rename(w.state.Volume(v.ID), w.state.Volume(v.ID)+".elsewhere"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := w.core.Redeploy(ctx, host, "store", core.ByRestart, &out)
	if err == nil || !strings.Contains(err.Error(), `the file of the volume "data" is missing`) {
		t.Errorf("restarted without its data: %v\n%s", err, out.String())
	}
	if uses, err := w.core.VolumesOf(ctx, "store"); err != nil || len(uses) != 1 || !uses[0].Lost || !uses[0].Booted {
		t.Errorf("%+v, %v", uses, err)
	}
}
