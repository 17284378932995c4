package deploy

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"time"

	"gitd/internal/core"
	"gitd/internal/guest"
	"gitd/internal/image"
	"gitd/internal/progress"
)

// guestPort is where an app must listen in its machine.
const guestPort = 8080

// bootTries is how often a machine is started that ends before anything of
// the app has run: a kernel that panics in its first second, as emulated ones
// do on a busy host, says nothing about the release.
const bootTries = 3

// boot starts a machine of rel and waits until it is healthy. When it is
// not, the pusher sees the machine's last lines, and the machine is gone.
func (d *Deployer) boot(ctx context.Context, spec core.MachineSpec, rel core.Release, r *progress.Report) (*instance, error) {
	r.Step("Booting v%d: %d MiB, %d CPU", rel.Version, spec.MemoryMiB, spec.CPUs)
	for try := 1; ; try++ {
		inst, err := d.bootOnce(ctx, spec, rel, r)
		if err == nil || inst == nil || isClosed(inst.booted) || !isClosed(inst.ended) || try == bootTries || ctx.Err() != nil {
			return inst, err
		}
		r.Warn("the machine ended before the app's turn (%s): trying again", progress.OneLine(inst.reason()))
		d.cfg.Log.Warn("machine did not boot", "app", rel.App, "release", rel.Version, "machine", spec.ID, "reason", inst.reason())
		if spec.ID, err = machineID(rel); err != nil {
			return nil, err
		}
	}
}

// bootOnce is one try. With an error, the machine is gone, and the instance
// is what is left of it; nil: there was none.
func (d *Deployer) bootOnce(ctx context.Context, spec core.MachineSpec, rel core.Release, r *progress.Report) (*instance, error) {
	inst := newInstance(rel, d.cfg.Output)
	inst.named(core.Machine{ID: spec.ID, App: rel.App, Release: rel.Version})
	m, err := d.cfg.Driver.Boot(ctx, spec, inst.watch)
	if err != nil {
		return nil, fmt.Errorf("boot v%d: %w", rel.Version, err)
	}
	inst.named(m)
	if err := d.healthy(ctx, inst, r); err != nil {
		for _, l := range inst.lastLines() {
			r.Detail("  | %s", l)
		}
		d.stop(context.WithoutCancel(ctx), m.ID, 0) //nolint:errcheck // logged; the next start removes it
		return inst, err
	}
	return inst, nil
}

// healthy waits for the guest's own word that the app listens, then for a
// good answer. A probe from outside would prove nothing before that: in
// user-mode networking the host side accepts before the guest listens.
//
// The machine has its time until init runs, and the app has its own from
// then on: a slow host must not eat into what an app is given.
func (d *Deployer) healthy(ctx context.Context, inst *instance, r *progress.Report) error {
	late := core.Reject(fmt.Sprintf("the machine did not boot within %s", d.cfg.BootTimeout), "this is the server's fault: its operator finds more in gitd's log")
	if err := d.await(ctx, d.cfg.BootTimeout, inst, inst.booted, late); err != nil {
		return err
	}
	if b := inst.bootDetail(); b != "" {
		r.Detail("%s", b)
	}
	booted := time.Now()
	limit := cmp.Or(inst.release.Manifest.Health.Timeout, d.cfg.BootTimeout)
	late = core.Reject(fmt.Sprintf("the app did not listen on port %d within %s", guestPort, limit),
		"listen on process.env.PORT, on all addresses (0.0.0.0 or ::)")
	if err := d.await(ctx, limit, inst, inst.listening, late); err != nil {
		return err
	}
	if b := inst.startDetail(); b != "" {
		r.Detail("%s", b)
	}
	r.Lap("boot")
	return d.probe(ctx, booted.Add(limit), inst, r)
}

// probe waits for a good answer of a candidate that listens. A check that
// counts attempts, and no time, has the time that those take.
func (d *Deployer) probe(ctx context.Context, until time.Time, inst *instance, r *progress.Report) error {
	check := inst.release.Manifest.Health
	if check.Attempts > 0 && check.Timeout == 0 {
		until = time.Now().Add(probeMost)
	}
	bound, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	err := newProber(d.cfg.Host(inst.release.App), check).untilHealthy(bound, inst.addr(), inst.ended, r)
	r.Lap("health")
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case isClosed(inst.ended):
		return d.ended(inst)
	default:
		return core.Reject("health check failed: "+err.Error(), "the app must answer with a status below 500; `logs "+inst.release.App+"` has what it said")
	}
}

// await waits for an event of a candidate, for its end, or for the end of its
// time, for which the answer is late.
func (d *Deployer) await(ctx context.Context, limit time.Duration, inst *instance, event <-chan struct{}, late *core.Rejection) error {
	bound, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-event:
		return nil
	case <-inst.ended:
		return d.ended(inst)
	case <-bound.Done():
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return late
	}
}

func (d *Deployer) ended(inst *instance) error {
	return core.Reject("the app did not start: "+inst.reason(), "its last lines are above; `logs "+inst.release.App+"` has all of them")
}

// spec says how to boot rel.
func (d *Deployer) spec(ctx context.Context, rel core.Release) (core.MachineSpec, error) {
	m := rel.Manifest
	if err := image.Check(d.cfg.State, m); err != nil {
		return core.MachineSpec{}, &core.Rejection{Reason: fmt.Sprintf("the image of v%d is not complete: %v", rel.Version, err), Hint: buildAgain(rel), Err: err}
	}
	id, err := machineID(rel)
	if err != nil {
		return core.MachineSpec{}, err
	}
	env, err := d.environment(ctx, rel)
	if err != nil {
		return core.MachineSpec{}, err
	}
	set, err := d.cfg.Settings.Resources(ctx, rel.App)
	if err != nil {
		return core.MachineSpec{}, err
	}
	s := core.MachineSpec{
		ID: id, App: rel.App, Release: rel.Version,
		Kernel: d.cfg.State.Kernel(m.Base), Hostname: rel.App,
		Args: expand(m.Start, env), Env: env, Port: guestPort,
		Resources: set.Or(m.Resources).Or(d.cfg.Defaults),
		Disks: []core.Disk{
			{Serial: guest.DiskBase, Path: d.cfg.State.Root(m.Base)},
			{Serial: guest.DiskApp, Path: d.cfg.State.Layer(m.App.Digest)},
		},
	}
	if m.Deps.Digest != "" {
		s.Disks = append(s.Disks, core.Disk{Serial: guest.DiskDeps, Path: d.cfg.State.Layer(m.Deps.Digest)})
	}
	if initrd := d.cfg.State.Initrd(m.Base); exists(initrd) {
		s.Initrd = initrd
	}
	return s, d.attach(ctx, &s)
}

// environment is all that the app finds in process.env. Config goes before
// what the repository says, and before neither goes what gitd promises.
func (d *Deployer) environment(ctx context.Context, rel core.Release) (map[string]string, error) {
	vars, err := d.cfg.Settings.Vars(ctx, rel.App)
	if err != nil {
		return nil, err
	}
	env := map[string]string{
		"HOME": guest.AppDir, "PATH": "/usr/bin:/app/node_modules/.bin", "USER": "app", "NODE_ENV": "production",
	}
	maps.Copy(env, rel.Manifest.Env)
	maps.Copy(env, vars)
	maps.Copy(env, map[string]string{
		"PORT":       strconv.Itoa(guestPort),
		"NODEOS_APP": rel.App, "NODEOS_RELEASE": "v" + strconv.Itoa(rel.Version), "NODEOS_COMMIT": rel.Commit,
	})
	return env, nil
}

// expand fills $NAME and ${NAME} in a start command. The builder lets plain
// variables pass and nothing else.
func expand(start []string, env map[string]string) []string {
	args := make([]string, len(start))
	for i, a := range start {
		args[i] = os.Expand(a, func(name string) string { return env[name] })
	}
	return args
}

// machineID is unique: a release can be booted more than once.
func machineID(rel core.Release) (string, error) {
	var b [3]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-v%d-%s", rel.App, rel.Version, hex.EncodeToString(b[:])), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
