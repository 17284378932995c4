// Package copies makes QEMU copy disks of a machine that runs, as they are at one moment, while the machine writes on:
// before a block is overwritten for the first time, QEMU copies it.
//
// It owns QEMU's jobs, and what they leave behind when gitd ends meanwhile. It does not own what the guest has written
// at that moment, nor the files. A copy goes to a descriptor: QEMU sees no path behind its walls.
package copies

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/libvirt/monitor"
)

// mark begins the names of all that is ours in a QEMU.
const mark = "gitd-copy-"

// poll is the time between two looks at the jobs.
const poll = 50 * time.Millisecond

// workers bounds what one job has in memory: so many pieces of chunk bytes. A machine's QEMU has little.
const (
	workers = 8
	chunk   = 1 << 20
)

// Clone has the copies share the blocks of the disks: both are as they are now, whatever is written to either.
// Few file systems can.
func Clone(disks []core.DiskCopy) error {
	for _, d := range disks {
		from, err := os.Open(d.Path)
		if err != nil {
			return err
		}
		err = disk.Clone(d.To, from)
		from.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// Run copies disks of dom. at is called when all is ready: it holds the guest's writes, calls begin, which returns when
// the moment of the copies has come, and lets writes go on. Run returns when the copies are whole.
func Run(ctx context.Context, dom *libvirt.Domain, disks []core.DiskCopy, at func(begin func() error) error) (err error) {
	q := qemu{dom}
	if err := q.clean(); err != nil { // of a gitd that was killed
		return err
	}
	defer func() { err = errors.Join(err, q.clean()) }()
	var actions []action
	for i, d := range disks {
		a, err := q.prepare(fmt.Sprintf("%s%d", mark, i), d)
		if err != nil {
			return fmt.Errorf("copy %s: %w", d.Path, err)
		}
		actions = append(actions, a)
	}
	begin := func() error {
		return q.do(nil, "transaction", transaction{Actions: actions, Properties: properties{"grouped"}})
	}
	if err := at(begin); err != nil {
		return err
	}
	return q.wait(ctx, len(disks))
}

type qemu struct{ dom *libvirt.Domain }

type transaction struct {
	Actions    []action   `json:"actions"`
	Properties properties `json:"properties"`
}

type properties struct {
	Completion string `json:"completion-mode"`
}

type action struct {
	Type string `json:"type"`
	Data backup `json:"data"`
}

type backup struct {
	Job     string         `json:"job-id"`
	Device  string         `json:"device"`
	Target  string         `json:"target"`
	Sync    string         `json:"sync"`
	Dismiss bool           `json:"auto-dismiss"`
	Perf    map[string]int `json:"x-perf"`
}

// prepare gives QEMU the file of a copy, under this name.
func (q qemu) prepare(name string, d core.DiskCopy) (a action, err error) {
	device, err := q.node(d.Path)
	if err != nil {
		return a, err
	}
	var set struct {
		ID int `json:"fdset-id"`
	}
	if err := q.do(&set, "add-fd", map[string]any{"opaque": name}, *d.To); err != nil {
		return a, err
	}
	node := map[string]any{
		"driver": "raw", "node-name": name, "discard": "unmap", "detect-zeroes": "unmap",
		"file": map[string]any{"driver": "file", "node-name": name + "-file", "discard": "unmap", "filename": fmt.Sprintf("/dev/fdset/%d", set.ID)},
	}
	if err := q.do(nil, "blockdev-add", node); err != nil {
		return a, err
	}
	return action{"blockdev-backup", backup{
		Job: name, Device: device, Target: name, Sync: "full", Perf: map[string]int{"max-workers": workers, "max-chunk": chunk},
	}}, nil
}

// node is what QEMU calls the disk at path.
func (q qemu) node(path string) (string, error) {
	var blocks []struct {
		Inserted *struct {
			File string `json:"file"`
			Node string `json:"node-name"`
		} `json:"inserted"`
	}
	if err := q.do(&blocks, "query-block", nil); err != nil {
		return "", err
	}
	for _, b := range blocks {
		if b.Inserted != nil && b.Inserted.File == path {
			return b.Inserted.Node, nil
		}
	}
	return "", errors.New("the machine has no such disk")
}

type job struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Error  string `json:"error"`
}

func (q qemu) jobs() (ours []job, err error) {
	var all []job
	err = q.do(&all, "query-jobs", nil)
	for _, j := range all {
		if strings.HasPrefix(j.ID, mark) {
			ours = append(ours, j)
		}
	}
	return ours, err
}

// wait returns when all of n copies are whole.
func (q qemu) wait(ctx context.Context, n int) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		all, err := q.jobs()
		if err != nil {
			return err
		}
		done := 0
		for _, j := range all {
			if j.Error != "" {
				return errors.New("QEMU: " + j.Error)
			}
			if j.Status == "concluded" {
				done++
			}
		}
		if len(all) < n {
			return errors.New("QEMU has lost its work")
		}
		if done == n {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// cancelLimit is how long QEMU has to give a copy up.
const cancelLimit = 10 * time.Second

// clean takes all that is ours away: jobs, nodes and descriptors.
func (q qemu) clean() error {
	if err := q.endJobs(time.Now().Add(cancelLimit)); err != nil {
		return err
	}
	var nodes []struct {
		Name string `json:"node-name"`
	}
	if err := q.do(&nodes, "query-named-block-nodes", map[string]any{"flat": true}); err != nil {
		return err
	}
	for _, n := range nodes {
		if strings.HasPrefix(n.Name, mark) && !strings.HasSuffix(n.Name, "-file") { // which goes with it
			if err := q.do(nil, "blockdev-del", map[string]any{"node-name": n.Name}); err != nil {
				return err
			}
		}
	}
	return q.closeFiles()
}

func (q qemu) endJobs(late time.Time) error {
	for {
		all, err := q.jobs()
		if err != nil || len(all) == 0 {
			return err
		}
		for _, j := range all {
			end := "job-cancel"
			if j.Status == "concluded" {
				end = "job-dismiss"
			}
			// It may have gone to its next state meanwhile. The next round sees that.
			if err := q.do(nil, end, map[string]any{"id": j.ID}); err != nil && time.Now().After(late) {
				return fmt.Errorf("a copy that QEMU began does not end: %w", err)
			}
		}
		time.Sleep(poll / 10)
	}
}

func (q qemu) closeFiles() error {
	var sets []struct {
		ID  int `json:"fdset-id"`
		FDs []struct {
			Opaque string `json:"opaque"`
		} `json:"fds"`
	}
	if err := q.do(&sets, "query-fdsets", nil); err != nil {
		return err
	}
	for _, s := range sets {
		if len(s.FDs) == 0 || !strings.HasPrefix(s.FDs[0].Opaque, mark) {
			continue
		}
		if err := q.do(nil, "remove-fd", map[string]any{"fdset-id": s.ID}); err != nil {
			return err
		}
	}
	return nil
}

func (q qemu) do(answer any, name string, arguments any, files ...os.File) error {
	return monitor.Do(q.dom, answer, name, arguments, files...)
}
