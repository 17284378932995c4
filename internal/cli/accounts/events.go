package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/terminal"
)

// eventCommands are about the audit.
type eventCommands struct{ command.Shared }

// maxRows bounds a table, whose columns are as wide as the widest of all rows: it is in memory as a whole.
const maxRows = 10_000

// eventOptions are the flags of `events`.
type eventOptions struct {
	json, follow bool
	num          int
	since        string
	after        int64
}

func (c eventCommands) events() *cobra.Command {
	cmd := &cobra.Command{
		Use: "events [APP] [-n N] [--since 24h] [--json] [--follow]", DisableFlagsInUseLine: true,
		Short: "list who did what, the newest first", Args: command.Args(cobra.MaximumNArgs(1)),
		Example: "events shop -n 50\nevents --since 24h\nevents --json --follow --after 4711 >> audit.jsonl",
		Long: "List who did what, the newest first. Administrators see all entries of the audit, others those of their apps.\n" +
			"JSON: one object a line, with id, time, actor, action, app and detail; ids grow in the order in which entries\n" +
			"were recorded. With --follow, entries come in that order, the last of the older ones first, and then each new\n" +
			"one as it is recorded, until this is interrupted or a right of yours is taken. None is left out: --after goes\n" +
			"on where an export has ended.",
	}
	var o eventOptions
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON, one object a line")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with new entries, until interrupted")
	cmd.Flags().IntVarP(&o.num, "num", "n", 30, "how many; 0: all")
	cmd.Flags().StringVar(&o.since, "since", "", "not older than 12h or 30d, or not before 2027-01-31 or 2027-01-31T08:00:00Z (UTC)")
	cmd.Flags().Int64Var(&o.after, "after", 0, "recorded after the entry with this id")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		r := core.EntryRange{After: max(o.after, 0), Newest: true, Limit: max(o.num, 0)}
		var err error
		if r.Since, err = parseSince(o.since, time.Now()); err != nil {
			return command.Misuse(cmd, err)
		}
		if !cmd.Flags().Changed("num") && (o.since != "" || r.After > 0) {
			r.Limit = 0
		}
		if r.Apps, err = c.apps(cmd.Context(), a); err != nil {
			return err
		}
		switch {
		case o.follow:
			return c.followEvents(cmd.Context(), r, o.json)
		case o.json:
			return c.writeEvents(audit.Read(cmd.Context(), c.Ledger, r), c.jsonEvent)
		default:
			return c.eventTable(cmd.Context(), r)
		}
	}
	return cmd
}

// parseSince reads how old entries may be; the zero time: as old as they are.
func parseSince(s string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	if s == "" {
		return time.Time{}, nil
	}
	return time.Time{}, fmt.Errorf("--since %.40q: use 12h, 30d, 2027-01-31 or 2027-01-31T08:00:00Z", s)
}

// apps are those whose entries the caller asks for and may see; nil: all entries. The role decides: the entries of an
// app that was destroyed are still there.
func (c eventCommands) apps(ctx context.Context, app []string) ([]string, error) {
	switch {
	case len(app) == 1 && !c.May(app[0], core.RoleView):
		return nil, command.NoApp(app[0])
	case len(app) == 1:
		list, err := c.Ledger.Entries(ctx, app[0], 1)
		if err == nil && len(list) == 0 {
			_, err = c.App(ctx, app[0], core.RoleView)
		}
		return app, err
	case c.Limit != (core.Limit{}):
		return []string{c.Limit.App}, nil
	case c.Admin:
		return nil, nil
	}
	return slices.AppendSeq([]string{}, maps.Keys(c.Grants)), nil
}

func (c eventCommands) followEvents(ctx context.Context, r core.EntryRange, asJSON bool) error {
	if err := c.Stays(); err != nil {
		return err
	}
	if r.Limit > 0 {
		last, err := audit.Newest(ctx, c.Ledger)
		if err != nil {
			return err
		}
		for e, err := range audit.Read(ctx, c.Ledger, r) {
			if err != nil {
				return err
			}
			last = e.ID - 1
		}
		r.After = max(r.After, last)
	}
	print := c.plainEvent
	if asJSON {
		print = c.jsonEvent
	}
	err := c.writeEvents(audit.Follow(ctx, c.Ledger, r, func() error { return c.still(ctx, r.Apps) }), print)
	if why := context.Cause(ctx); why != nil && !errors.Is(why, context.Canceled) {
		return why
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// still says why the caller may see less than when this began.
func (c eventCommands) still(ctx context.Context, apps []string) error {
	if apps == nil {
		return c.People.Still(ctx, c.Actor, "")
	}
	for _, app := range apps {
		if err := c.People.Still(ctx, c.Actor, app); err != nil {
			return err
		}
	}
	return nil
}

func (c eventCommands) writeEvents(list func(yield func(core.Entry, error) bool), print func(core.Entry) error) error {
	for e, err := range list {
		if err == nil {
			err = print(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// eventRow is an entry for programs. Its fields are only ever added to.
type eventRow struct {
	ID     int64     `json:"id"`
	Time   time.Time `json:"time"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	App    string    `json:"app"`
	Detail string    `json:"detail"`
}

func (c eventCommands) jsonEvent(e core.Entry) error {
	return json.NewEncoder(c.Out).Encode(eventRow{e.ID, e.Time.UTC(), e.Actor, e.Action, e.App, e.Detail})
}

func cells(e core.Entry) []string {
	return []string{e.Time.UTC().Format(time.DateTime), e.Actor, e.Action, terminal.OrDash(e.App), terminal.OrDash(e.Detail)}
}

// plainEvent prints a line: nobody knows how wide the columns will be.
func (c eventCommands) plainEvent(e core.Entry) error {
	_, err := io.WriteString(c.Out, progress.Printable(strings.ReplaceAll(strings.Join(cells(e), "  "), "\n", " "))+"\n")
	return err
}

func (c eventCommands) eventTable(ctx context.Context, r core.EntryRange) error {
	cut := r.Limit == 0 || r.Limit > maxRows
	if cut {
		r.Limit = maxRows
	}
	table := [][]string{{"TIME", "WHO", "ACTION", "APP", "WHAT"}}
	err := c.writeEvents(audit.Read(ctx, c.Ledger, r), func(e core.Entry) error {
		table = append(table, cells(e))
		return nil
	})
	if err != nil {
		return err
	}
	if cut && len(table) > maxRows {
		progress.NewReport(c.Err).Warn("older entries are left out: a table has %d at most, and --json has all", maxRows)
	}
	return c.Table(table)
}
