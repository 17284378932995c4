package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/units"
)

// bootLimit bounds one boot.
const bootLimit = 2 * time.Minute

const port = 8080

// sample is what one boot took. Memory is in bytes.
type sample struct {
	combination
	Boot   core.BootTimes `json:"boot"`
	Answer time.Duration  `json:"answer"` // from the call of Boot to the first good answer
	Guest  core.Stats     `json:"guest"`
	QEMU   int64          `json:"qemu"` // resident memory of the machine's QEMU
}

func (s sample) String() string {
	return fmt.Sprintf("%s · first answer after %v · guest uses %s, of it the app %s · QEMU %s",
		s.Boot, s.Answer.Round(time.Millisecond), units.Bytes(s.Guest.MemoryUsed), units.Bytes(s.Guest.AppRSS), units.Bytes(s.QEMU))
}

// boot boots one machine, waits for one answer of it, and stops it.
func (s settings) boot(ctx context.Context, d *libvirt.Driver, c combination, m core.Manifest) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	events := make(chan core.Event, 1000)
	watch := func(e core.Event) {
		select {
		case events <- e:
		default: // nobody reads the lines of output
		}
	}
	got := sample{combination: c}
	start := time.Now()
	spec, err := s.spec(c, m)
	if err != nil {
		return sample{}, err
	}
	machine, err := d.Boot(ctx, spec, watch)
	if err != nil {
		return got, err
	}
	defer d.Stop(context.WithoutCancel(ctx), machine.ID, 0) //nolint:errcheck // the sample is taken
	e, err := await(ctx, events, core.EventListening)
	if err != nil {
		return got, err
	}
	if e.Boot == nil {
		return got, errors.New("the guest did not say where the time went")
	}
	got.Boot = *e.Boot
	if err := ask(ctx, machine.Addr); err != nil {
		return got, err
	}
	got.Answer = time.Since(start)
	if e, err = await(ctx, events, core.EventStats); err != nil {
		return got, err
	}
	got.Guest = *e.Stats
	got.QEMU, err = s.resident(machine.ID)
	return got, err
}

// await waits for an event of a kind.
func await(ctx context.Context, events <-chan core.Event, kind core.EventKind) (core.Event, error) {
	for {
		select {
		case e := <-events:
			if e.Kind == kind {
				return e, nil
			}
			if e.Kind == core.EventGone || e.Kind == core.EventExited {
				return e, fmt.Errorf("before it was %s: %s: %s", kind, e.Kind, e.Detail)
			}
		case <-ctx.Done():
			return core.Event{}, fmt.Errorf("no event %q: %w", kind, ctx.Err())
		}
	}
}

// ask sends requests until there is a good answer.
func ask(ctx context.Context, addr string) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: core.MachineDialer(addr, bootLimit)}}
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://machine/", nil)
		if err != nil {
			return err
		}
		res, err := client.Do(req)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (s settings) spec(c combination, m core.Manifest) (core.MachineSpec, error) {
	env := map[string]string{"PORT": strconv.Itoa(port), "NODE_ENV": "production", "HOME": guest.AppDir}
	maps.Copy(env, m.Env)
	spec := core.MachineSpec{
		ID: fmt.Sprintf("bench-%s-%s-%d", c.App, c.Kernel, time.Now().UnixMilli()), App: c.App, Release: 1,
		Hostname: c.App, Env: env, Port: port,
		Share: core.Share{Resources: core.Resources{MemoryMiB: c.Memory, CPUs: 1}},
	}
	image.Boot(&spec, core.StateDir(s.state), m)
	return spec, spec.SetStart(m, func(name string) bool { return name == "PORT" })
}

// resident returns the memory of a machine's QEMU on the host, in bytes.
func (s settings) resident(id string) (int64, error) {
	pid, err := os.ReadFile(filepath.Join(core.StateDir(s.state).Libvirt(), "run/qemu", id+".pid"))
	if err != nil {
		return 0, err
	}
	status, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("QEMU's status has no VmRSS")
}
