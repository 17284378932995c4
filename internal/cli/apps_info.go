package cli

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/terminal"
	"github.com/nodeos-dev/gitd/internal/units"
)

func (c appCommands) infoRow(ctx context.Context, a core.App) (infoRow, error) {
	base, err := c.appRow(ctx, a)
	if err != nil {
		return infoRow{}, err
	}
	row := infoRow{appRow: base, Branch: a.Branch, Dir: a.Dir, Created: a.Created, Domains: []string{c.Host(a.Name)}, Role: c.Role(a.Name).String()}
	domains, err := c.Settings.Domains(ctx, a.Name)
	if err != nil {
		return row, err
	}
	for _, d := range domains {
		row.Domains = append(row.Domains, d.Host)
	}
	vars, err := c.Settings.Vars(ctx, a.Name)
	if err != nil {
		return row, err
	}
	row.Config = append([]string{}, slices.Sorted(maps.Keys(vars))...)
	set, err := c.Settings.Rules(ctx, a.Name)
	if err != nil {
		return row, err
	}
	row.Rules = append([]string{}, set.Words()...)
	if a.Lock.Held() {
		row.Lock = &lockRow{a.Lock.By, a.Lock.Reason, a.Lock.Since}
	}
	if a.Live > 0 {
		rel, err := c.Ledger.Release(ctx, a.Name, a.Live)
		if err != nil {
			return row, err
		}
		row.Node, row.Image = rel.Manifest.Node, rel.Manifest.Size()
	}
	return row, nil
}

func (r infoRow) cells() [][]string {
	lock := "-"
	if r.Lock != nil {
		lock = "by " + r.Lock.By + ", " + terminal.Ago(r.Lock.Since)
		if r.Lock.Reason != "" {
			lock += ": " + r.Lock.Reason
		}
	}
	return [][]string{
		{"WHAT", "VALUE"},
		{"app", r.Name},
		{"state", r.State},
		{"url", r.URL},
		{"domains", strings.Join(r.Domains, " ")},
		{"release", terminal.Version(r.Release)},
		{"commit", command.Commit(r.Commit)},
		{"deployed", terminal.Ago(r.Deployed)},
		{"branch", terminal.OrDash(r.Branch)},
		{"folder", folderText(r.Dir)},
		{"node", terminal.OrDash(r.Node)},
		{"image", units.Bytes(r.Image)},
		{"config", terminal.OrDash(strings.Join(r.Config, " "))},
		{"front door", cmp.Or(strings.Join(r.Rules, ", "), "everybody gets in")},
		{"lock", lock},
		{"your role", r.Role},
		{"created", terminal.Ago(r.Created)},
	}
}
