package cli

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/apps"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/quota"
	"github.com/nodeos-dev/gitd/internal/usage"
)

// fuzzSecret is a value that nobody may be told who did not ask for it.
const fuzzSecret = "hunter2-correct-horse"

// FuzzCommandLine: whatever someone types, the tree answers with an exit code
// and never panics, and a secret goes to those who ask for it and may have it.
// The ledger is a real one, in which shop has a secret; the caller is
// everything from nobody to an administrator. (The words cannot reach a
// shell: none exists.)
func FuzzCommandLine(f *testing.F) {
	for _, s := range []string{
		"apps --json", "logs -n 5 shop", "keys:add x --admin=maybe", "help apps", "-- --", "--state=/etc apps", "__complete a",
		"config shop", "config:get shop TOKEN", "config:set shop A=hunter2-correct-horse", "config:set shop hunter2-correct-horse",
		"config:import shop", "config:export shop", "config:export -a shop", "whoami", "config:unset shop TOKEN --no-restart", "resource shop --memory 256M --cpus 2", "releases shop -n -1",
		"rollback shop v1", "domains:add shop www.example.org", "ps shop --boot", "apps:destroy shop --confirm shop",
		"apps:lock shop why", "status --json", "overview", "users", "logs shop --build --release v1", "-", "apps:list", "run bash", "volumes shop",
		"volumes:create shop data --size 1G --mount /data", "volumes:create data", "volumes:remove shop data --confirm data",
	} {
		for who := range byte(5) {
			f.Add(s, "A='hunter2-correct-horse' oops\n", who)
		}
	}
	svc := fuzzServices(f)
	f.Fuzz(func(t *testing.T, line, input string, who byte) {
		words := strings.Fields(line)
		caller := fuzzCaller(who)
		var out, msg bytes.Buffer
		caller.In, caller.Out, caller.Err = strings.NewReader(input), &out, &msg
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		code := Run(ctx, svc, caller, words)
		if code < exitOK || code > exitUsage || ctx.Err() != nil {
			t.Errorf("%q exits with %d, %v", line, code, ctx.Err())
		}
		if told := out.String() + msg.String(); strings.Contains(told, fuzzSecret) && !mayBeTold(words, caller) {
			t.Errorf("%q by %d tells the secret: %q", line, who, told)
		}
		if strings.ContainsAny(msg.String(), "\x1b\x07\x00") {
			t.Errorf("%q sends control characters to a terminal: %q", line, msg.String())
		}
	})
}

// mayBeTold: values are for those who ask for them and may have them; and
// what a caller typed themselves may come back in an error, unless it stood
// where a value stands.
func mayBeTold(words []string, c command.Caller) bool {
	isSet := slices.Contains(words, "config:set") || slices.Contains(words, "config:import")
	asks := slices.ContainsFunc(words, func(w string) bool {
		return w == "config" || w == "config:get" || w == "config:show" || w == "config:list" || w == "config:export"
	})
	return !isSet && (strings.Contains(strings.Join(words, " "), fuzzSecret) || asks && c.May("shop", core.RoleDeploy))
}

// fuzzCaller is one of: a stranger, someone who may view, deploy or
// administer shop, and an administrator.
func fuzzCaller(who byte) command.Caller {
	a := core.Actor{Name: "sam", Grants: map[string]core.Role{}}
	switch who % 5 {
	case 1, 2, 3:
		a.Grants["shop"] = core.Role(who % 5)
	case 4:
		a.Admin = true
	}
	return command.Caller{Actor: a}
}

func fuzzServices(f *testing.F) command.Services {
	l, err := ledger.Open(f.Context(), f.TempDir()+"/gitd.db")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { l.Close() })
	if _, err := l.CreateApp(f.Context(), "shop"); err != nil {
		f.Fatal(err)
	}
	if err := l.SetVars(f.Context(), "shop", core.VarChange{Set: map[string]string{"TOKEN": fuzzSecret}}); err != nil {
		f.Fatal(err)
	}
	return command.Services{
		Ledger: l, Settings: l, People: people.NewService(l), Core: idle{}, Quotas: idle{}, Logs: silent{}, Builds: silent{}, Copies: idleCopies{}, Backups: idleCopies{},
		Contents: contents.New(core.StateDir(f.TempDir()), func(string) (contents.BaseInfo, error) {
			return contents.BaseInfo{}, core.ErrNotFound
		}),
		Counts:   func(string) core.Counts { return core.Counts{} },
		HasImage: func(core.Manifest) bool { return true },
		Host:     func(app string) string { return app + ".localhost" },
		URL:      func(app string) string { return "http://" + app + ".localhost/" },
		Kept:     func(string) []core.Kept { return nil },
		Spares:   func() int { return 0 },
		Status:   func() (command.HostStatus, error) { return command.HostStatus{}, nil },
		Defaults: core.Resources{MemoryMiB: 128, CPUs: 1},
		Halt:     func() {}, Version: "v1",
	}
}

// idle is a core that does what it is told, at once.
type idle struct{}

func (idle) OfApp(context.Context, string) ([]quota.Share, error)  { return nil, nil }
func (idle) OfUser(context.Context, string) ([]quota.Share, error) { return nil, nil }
func (idle) Promised() (now, most core.Resources)                  { return now, most }

func (idle) ChangeApp(_ context.Context, _ core.Actor, _ string, change func(core.Quota) error) error {
	return change(core.Quota{})
}

func (idle) ChangeUser(_ context.Context, _ core.Actor, _ string, change func(core.Quota) error) error {
	return change(core.Quota{})
}

func (idle) CreateApp(context.Context, core.Actor, string) error             { return nil }
func (idle) RenameApp(_ context.Context, _ core.Actor, _, _ string) error    { return nil }
func (idle) LockApp(_ context.Context, _ core.Actor, _, _ string) error      { return nil }
func (idle) UnlockApp(context.Context, core.Actor, string) error             { return nil }
func (idle) Cancel(context.Context, core.Actor, string) error                { return nil }
func (idle) AddDomain(_ context.Context, _ core.Actor, _, _ string) error    { return nil }
func (idle) RemoveDomain(_ context.Context, _ core.Actor, _, _ string) error { return nil }
func (idle) DestroyApp(context.Context, core.Actor, string, io.Writer) error { return nil }
func (idle) StopApp(context.Context, core.Actor, string, io.Writer) error    { return nil }
func (idle) StartApp(context.Context, core.Actor, string, io.Writer) error   { return nil }
func (idle) Usage(context.Context) (usage.Usage, error)                      { return usage.Usage{}, nil }
func (idle) VolumesOf(context.Context, string) ([]apps.VolumeUse, error)     { return nil, nil }
func (idle) QueueOf(string) []deploy.QueueEntry                              { return nil }
func (idle) Overview() deploy.Overview                                       { return deploy.Overview{} }
func (idle) Statuses(context.Context) ([]fleet.AppStatus, error)             { return nil, nil }

func (idle) PinRelease(context.Context, core.Actor, string, int, bool) error { return nil }

func (idle) Rollback(context.Context, core.Actor, string, int, io.Writer) error { return nil }

func (idle) CreateVolume(_ context.Context, _ core.Actor, _, _ string, _ int64, _ string, _ io.Writer) error {
	return nil
}

func (idle) RemoveVolume(_ context.Context, _ core.Actor, _, _ string, _ io.Writer) error {
	return nil
}

func (idle) Verify(context.Context, core.Actor, string, int, io.Writer) error { return nil }
func (idle) Rebuild(context.Context, core.Actor, string, io.Writer) error     { return nil }
func (idle) Redeploy(context.Context, core.Actor, string, core.Trigger, io.Writer) error {
	return nil
}

func (idle) ReadConfig(context.Context, core.Actor, string, string) (map[string]string, error) {
	return map[string]string{"A": "1"}, nil
}

func (idle) SetConfig(_ context.Context, _ core.Actor, _ string, c apps.ConfigChange, _ io.Writer) error {
	return core.CheckVars(c.Set)
}

func (idle) SetFolder(_ context.Context, _ core.Actor, _, dir string) error {
	_, err := core.CleanFolder(dir)
	return err
}

func (idle) SetResources(_ context.Context, _ core.Actor, _ string, r core.Resources, _ io.Writer) error {
	return core.CheckResources(r)
}

func (idle) ScaleOf(context.Context, string) (apps.Scaled, error) { return apps.Scaled{}, nil }

func (idle) ScaleApp(_ context.Context, _ core.Actor, _ string, changes []string, _ io.Writer) error {
	_, err := core.Scale{}.With(core.Manifest{Start: []string{"node"}}, changes)
	return err
}

func (idle) Status(_ context.Context, app string) (fleet.AppStatus, error) {
	return fleet.AppStatus{App: app, ProcessStatus: fleet.ProcessStatus{State: fleet.Running}}, nil
}

// silent has no output of anybody.
type silent struct{}

func (silent) Tail(string, int, func(core.Line) bool) iter.Seq2[core.Line, error] {
	return func(func(core.Line, error) bool) {}
}
func (silent) Text(string, int) (string, error) { return "", core.ErrNotFound }

func (silent) Follow(context.Context, string, int) (<-chan core.Line, error) {
	lines := make(chan core.Line)
	close(lines)
	return lines, nil
}
