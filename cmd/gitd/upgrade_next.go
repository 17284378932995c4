package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/handover"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/service"
)

// upgradeOptions are the flags of upgrades.
type upgradeOptions struct {
	patience time.Duration
	check    bool
}

func (o *upgradeOptions) flags(f *pflag.FlagSet) {
	f.DurationVar(&o.patience, "upgrade-timeout", 10*time.Minute, "for pushes and commands that run when gitd is upgraded: the next gitd begins when they have ended, or not at all")
	f.BoolVar(&o.check, checkFlag, false, "check the flags, and an upgrade of the ledger on a copy, and end: gitd may run meanwhile")
}

const checkFlag = "check"

// rehearse looks whether a gitd with these flags could begin on the state folder, and changes nothing there.
func rehearse(ctx context.Context, o *options, w io.Writer) error {
	if _, err := o.guestInit(); err != nil {
		return err
	}
	change, err := ledger.Rehearse(ctx, core.StateDir(o.state).Ledger())
	if err != nil {
		return err
	}
	r := progress.NewReport(w)
	if change.From != change.To {
		r.Step("The ledger is upgraded from schema %d to %d at the start; a copy was, without a fault", change.From, change.To)
	}
	r.Done("gitd %s can begin", buildVersion())
	return nil
}

// tryOut has a program check itself with the flags of this one. What it says is the error's text.
func tryOut(ctx context.Context, program string) error {
	cmd := exec.CommandContext(ctx, program, append(os.Args[1:len(os.Args):len(os.Args)], "--"+checkFlag)...)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return errors.New(strings.TrimPrefix(last, "! "))
	}
	return fmt.Errorf("%s: %w", program, err)
}

// renew gives the running gitd the program that root has put on disk, if it runs from a copy of that (see reachable).
func renew(state core.StateDir) error {
	info, err := os.Stat(string(state))
	if _, none := os.Stat(core.Programs(state)); os.Geteuid() != 0 || none != nil || err != nil {
		return nil //nolint:nilerr // there is no copy, or the command itself says what is missing
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return nil
	}
	u, err := user.LookupId(strconv.Itoa(int(owner.Uid)))
	if err != nil {
		return err
	}
	who, err := service.Lookup(u.Username)
	if err == nil {
		_, err = reachable(state, who)
	}
	return err
}

// before is the gitd whose place this one takes; nil: there is none.
func before(log zerolog.Logger) (before *handover.Before, lock *os.File, err error) {
	if before, lock, err = handover.Inherit(); err == nil && before != nil {
		log.Debug().Msg("this gitd takes another one's place")
	}
	return before, lock, err
}

// await waits until the gitd before has let go of the state folder.
func (l *listeners) await(state core.StateDir, log zerolog.Logger) error {
	if l.before == nil {
		return nil
	}
	if err := l.before.Prepared(buildVersion()); err != nil {
		return fmt.Errorf("the gitd before goes on: %w", err)
	}
	l.doors.Own(true)
	nameHolder(state, log)
	return nil
}

// failed tells the gitd before why this one does not begin.
func (l *listeners) failed(err error) {
	if err != nil && l.before != nil {
		l.before.Failed(err)
	}
}

// gone is closed when the gitd before has ended; nil: there is none.
func (l *listeners) gone() <-chan struct{} {
	if l.before == nil {
		return nil
	}
	return l.before.Gone()
}

// noteUpgrade says what was done to the ledger's schema, and notes in the ledger which gitd has it.
func noteUpgrade(ctx context.Context, l *ledger.Ledger, log zerolog.Logger) error {
	if u := l.Upgraded; u.To > 0 {
		log.Info().Int64("from", u.From).Int64("to", u.To).Str("copy", u.Copy.Path).
			Msg("the ledger was upgraded; the copy is from before: `gitd ledger:restore " + u.Copy.Name() + "` goes back to it")
	}
	return l.Wrote(ctx, buildVersion())
}

// undoMigration puts the ledger back as it was before a gitd that did not begin has upgraded it.
func (s *succession) undoMigration(ctx context.Context) error {
	reverted, err := ledger.Revert(ctx, s.ledger)
	if reverted {
		s.d.log.Warn().Msg("the ledger is the copy from before the upgrade")
	}
	return err
}
