package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/label"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/ledger/copies"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// ledgerRestore puts a copy in the place of the ledger.
func (h *host) ledgerRestore() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ledger:restore [COPY]", Args: cobra.MaximumNArgs(1),
		Short: "put back a dated copy of the ledger (the newest one), with what the folders know since then",
	}
	h.userFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return h.mend(cmd, func(state core.StateDir, r *progress.Report) error {
			c, err := wantedCopy(cmd.Context(), state, args)
			if err != nil {
				return err
			}
			aside, err := ledger.Restore(cmd.Context(), state.Ledger(), c)
			if err != nil {
				return err
			}
			r.Step("The ledger is the copy of %s", c.Time.Format("2006-01-02 15:04:05 MST"))
			putAside(r, aside)
			return adopt(cmd.Context(), state, r)
		})
	}
	return cmd
}

// ledgerAdopt has the ledger take in what the folders tell.
func (h *host) ledgerAdopt() *cobra.Command {
	cmd := &cobra.Command{
		Use: "ledger:adopt", Args: cobra.NoArgs,
		Short: "take apps, releases and volumes that the ledger does not know from their folders; make a ledger if there is none",
	}
	h.userFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return h.mend(cmd, func(state core.StateDir, r *progress.Report) error {
			return adopt(cmd.Context(), state, r)
		})
	}
	return cmd
}

// mend runs work on the ledger of a state folder that no gitd serves, and keeps one from starting meanwhile. A gitd
// that is ending has closed its socket and may still write, so its end is waited for.
func (h *host) mend(cmd *cobra.Command, work func(state core.StateDir, r *progress.Report) error) error {
	log, err := logger(h.err, "info")
	if err != nil {
		return err
	}
	if err := h.become(cmd.Context(), cmd, log); err != nil {
		return err
	}
	return h.mendHere(cmd.Context(), log, work)
}

func (h *host) mendHere(ctx context.Context, log zerolog.Logger, work func(state core.StateDir, r *progress.Report) error) error {
	state := core.StateDir(h.state)
	if err := state.Create(); err != nil {
		return err
	}
	l, err := control.Listen(state.Socket())
	if err != nil {
		return fmt.Errorf("%w; `gitd halt` ends it with its machines, a signal (SIGTERM) without them", err)
	}
	defer l.Close()
	lock, err := holdState(ctx, state, log)
	if err != nil {
		return err
	}
	defer lock.Close()
	r := progress.NewReport(h.out)
	if err := work(state, r); err != nil {
		return err
	}
	r.Done("start gitd now: `gitd serve`")
	return nil
}

// wantedCopy is the copy that a person names, or the newest.
func wantedCopy(ctx context.Context, state core.StateDir, args []string) (copies.Copy, error) {
	all, err := copies.Dated(state.Ledger())
	if err != nil {
		return copies.Copy{}, err
	}
	before, err := copies.Before(state.Ledger())
	if err != nil {
		return copies.Copy{}, err
	}
	all = append(all, before...)
	if len(args) == 0 {
		c, err := copies.Newest(ctx, state.Ledger())
		if errors.Is(err, copies.ErrNone) {
			err = fmt.Errorf("%w in %s; `gitd ledger:adopt` makes a ledger from what the folders tell", err, state)
		}
		return c, err
	}
	var names []string
	for _, c := range all {
		names = append(names, c.Name())
	}
	if i := slices.Index(names, args[0]); i >= 0 {
		return all[i], nil
	}
	return copies.Copy{}, fmt.Errorf("there is no copy %.60q; these are there: %s", args[0], some(names))
}

// adopt opens the ledger, or makes a new one in the place of one that is lost, and takes in what the folders tell.
func adopt(ctx context.Context, state core.StateDir, r *progress.Report) (err error) {
	l, err := openOrReplace(ctx, state, r)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	err = label.Adopt(ctx, state, l, core.Host(), func(line string) { r.Detail("%s", line) })
	if err != nil {
		return err
	}
	keys, err := l.Keys(ctx)
	if err == nil && len(keys) == 0 {
		r.Step("The ledger knows no people and no config values: `gitd serve` prints a line with which the first person " +
			"becomes administrator, and `config:set` gives the apps their config again")
	}
	return err
}

// openOrReplace opens the ledger; one that is empty or damaged is put aside first.
func openOrReplace(ctx context.Context, state core.StateDir, r *progress.Report) (*ledger.Ledger, error) {
	there, err := ledger.Exists(state.Ledger())
	if err != nil {
		return nil, err
	}
	if there {
		l, err := ledger.Open(ctx, state.Ledger())
		if !ledger.IsDamaged(err) {
			return l, err
		}
	}
	aside, err := ledger.PutAside(state.Ledger())
	if err != nil {
		return nil, err
	}
	putAside(r, aside)
	r.Step("A new ledger")
	return ledger.Open(ctx, state.Ledger())
}

func putAside(r *progress.Report, aside string) {
	if aside != "" {
		r.Detail("the ledger that was there is now %s", aside)
	}
}
