package coretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// The fakeDriver saves what a machine has kept, between these. It is a sleep.Saver.
const (
	stateBegin = "the state of a machine:"
	stateEnd   = ":its end"
)

func (d *fakeDriver) Save(_ context.Context, id string, to io.WriteCloser) (serials []string, err error) {
	d.mu.Lock()
	m := d.machines[id]
	d.mu.Unlock()
	if m == nil {
		return nil, fmt.Errorf("save machine %s: %w", id, core.ErrNotFound)
	}
	for _, disk := range m.spec.Disks {
		serials = append(serials, disk.Serial)
	}
	_, err = io.WriteString(to, stateBegin+m.memory+stateEnd)
	return serials, errors.Join(err, to.Close())
}

func (d *fakeDriver) Restore(_ context.Context, s core.MachineSpec, serials []string, from io.Reader, w core.Watch) (m core.Machine, err error) {
	text, err := io.ReadAll(from)
	if err != nil {
		return m, err
	}
	memory, begun := strings.CutPrefix(string(text), stateBegin)
	memory, whole := strings.CutSuffix(memory, stateEnd)
	if !begun || !whole || len(serials) != len(s.Disks) {
		return m, errors.New("this is no state of such a machine")
	}
	return d.begin(s, w, memory)
}

func (d *fakeDriver) Host() string { return "here" }
