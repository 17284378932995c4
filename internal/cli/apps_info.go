package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gitd/internal/core"
	"gitd/internal/units"
)

func (t *tree) infoRow(ctx context.Context, a core.App) (infoRow, error) {
	base, err := t.appRow(ctx, a)
	if err != nil {
		return infoRow{}, err
	}
	row := infoRow{appRow: base, Branch: a.Branch, Created: a.Created, Domains: []string{t.Host(a.Name)}, Role: t.Role(a.Name).String()}
	domains, err := t.Settings.Domains(ctx, a.Name)
	if err != nil {
		return row, err
	}
	for _, d := range domains {
		row.Domains = append(row.Domains, d.Host)
	}
	vars, err := t.Settings.Vars(ctx, a.Name)
	if err != nil {
		return row, err
	}
	row.Config = append([]string{}, slices.Sorted(maps.Keys(vars))...)
	if a.Lock.Held() {
		row.Lock = &lockRow{a.Lock.By, a.Lock.Reason, a.Lock.Since}
	}
	if a.Live > 0 {
		rel, err := t.Ledger.Release(ctx, a.Name, a.Live)
		if err != nil {
			return row, err
		}
		row.Node, row.Image = rel.Manifest.Node, rel.Manifest.App.Size+rel.Manifest.Deps.Size
	}
	return row, nil
}

func (r infoRow) cells() [][]string {
	lock := "-"
	if r.Lock != nil {
		lock = "by " + r.Lock.By + ", " + ago(r.Lock.Since)
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
		{"release", version(r.Release)},
		{"commit", commit(r.Commit)},
		{"deployed", ago(r.Deployed)},
		{"branch", orDash(r.Branch)},
		{"node", orDash(r.Node)},
		{"image", units.Bytes(r.Image)},
		{"config", orDash(strings.Join(r.Config, " "))},
		{"lock", lock},
		{"your role", r.Role},
		{"created", ago(r.Created)},
	}
}
