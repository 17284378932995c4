// Package slots puts the layers of an app on disks of a machine that runs.
//
// A slot is a disk that looks large and is empty. It becomes a layer when QEMU, which has the disk open, takes another
// file in the place of the empty one: nothing is copied, and the layer's pages are shared with all machines that use
// it. QEMU is given a descriptor, since it sees no path outside of its walls. Package slots owns the files of slots and
// what becomes of them. It does not own what the guest has read of them before.
package slots

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/libvirt/monitor"
)

// size is what a slot looks like. No layer is larger.
const size = 64 << 30

// Make makes the files of the slots among disks, except for those that are layers already. They take no room.
func Make(disks []core.Disk) error {
	for _, d := range disks {
		if !isSlot(d.Serial) {
			continue
		}
		f, err := os.OpenFile(d.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func isSlot(serial string) bool {
	return serial == guest.Slot(guest.DiskApp) || serial == guest.Slot(guest.DiskDeps)
}

// Fill has the slots of dom become those of disks that have one, and returns their serials. path is where the file of
// the slot for a disk is.
func Fill(dom *libvirt.Domain, disks []core.Disk, path func(serial string) string) (filled []string, err error) {
	nodes, err := find(dom)
	if err != nil {
		return nil, err
	}
	for _, d := range disks {
		if !isSlot(guest.Slot(d.Serial)) {
			continue
		}
		node := nodes[path(d.Serial)]
		if node == "" {
			return nil, fmt.Errorf("the machine has no slot for the disk %s", d.Serial)
		}
		if err := fill(dom, node, d); err != nil {
			return nil, fmt.Errorf("disk %s: %w", d.Serial, err)
		}
		filled = append(filled, d.Serial)
	}
	slices.Sort(filled)
	return filled, nil
}

// find returns what QEMU calls its disks, by the paths of their files.
func find(dom *libvirt.Domain) (nodes map[string]string, err error) {
	var blocks []struct {
		Inserted *struct {
			File string `json:"file"`
			Node string `json:"node-name"`
		} `json:"inserted"`
	}
	if err := monitor.Do(dom, &blocks, "query-block", nil); err != nil {
		return nil, err
	}
	nodes = map[string]string{}
	for _, b := range blocks {
		if b.Inserted != nil {
			nodes[b.Inserted.File] = b.Inserted.Node
		}
	}
	return nodes, nil
}

// fill has the node of a slot read the file of a disk.
func fill(dom *libvirt.Domain, node string, d core.Disk) error {
	file, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	name := "gitd-late-" + d.Serial
	var set struct {
		ID int `json:"fdset-id"`
	}
	if err := monitor.Do(dom, &set, "add-fd", map[string]any{"opaque": name}, *file); err != nil {
		return err
	}
	layer := map[string]any{
		"driver": "file", "node-name": name, "filename": fmt.Sprintf("/dev/fdset/%d", set.ID), "read-only": true,
	}
	if err := monitor.Do(dom, nil, "blockdev-add", layer); err != nil {
		return err
	}
	slot := map[string]any{"driver": "raw", "node-name": node, "read-only": true, "file": name}
	return monitor.Do(dom, nil, "blockdev-reopen", map[string]any{"options": []any{slot}})
}
