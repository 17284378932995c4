package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/systemd"
)

// vitals is what the service manager is told of a daemon.
type vitals struct {
	d       *daemon
	manager systemd.Manager
}

// took says that this gitd serves: to the one before, and to the service manager.
func (v vitals) took() {
	if v.d.l.before != nil {
		v.d.l.before.Serving()
	}
	v.tell(systemd.Ready, systemd.Status("gitd "+buildVersion()+" serves"))
}

func (v vitals) tell(assignments ...string) {
	if err := v.manager.Tell(assignments...); err != nil {
		v.d.log.Warn().Err(err).Msg("the service manager is not told")
	}
}

// watch tells the watchdog that gitd is alive, as long as it answers on its socket and reads its ledger.
func (v vitals) watch(ctx context.Context) error {
	v.manager.Watch(ctx, v.well, func(err error) {
		v.d.log.Error().Err(err).Msg("gitd is not well: the watchdog is not told that it is")
	})
	return nil
}

func (v vitals) well(ctx context.Context) error {
	d := v.d
	if _, err := d.ledger.Keys(ctx); err != nil {
		return err
	}
	if d.l.doors.Paused() {
		return nil // nobody is answered: another gitd takes over, within a limit of its own
	}
	call := control.Call{Name: "ping"}
	code, err := control.Do(ctx, d.l.socket.Addr().String(), call, control.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	if err == nil && code != 0 {
		err = fmt.Errorf("its socket says %d", code)
	}
	return err
}
