package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"gitd/internal/deploy"
)

func (t *tree) apps() *cobra.Command {
	cmd := &cobra.Command{Use: "apps", Short: "list the apps and what they run", Args: args(cobra.NoArgs)}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := t.appRows(cmd.Context())
		if err != nil {
			return err
		}
		rows := [][]string{{"APP", "RELEASE", "COMMIT", "DEPLOYED", "URL"}}
		for _, a := range list {
			rows = append(rows, []string{a.Name, version(a.Release), commit(a.Commit), ago(a.Deployed), a.URL})
		}
		return t.list(*asJSON, list, rows)
	}
	return cmd
}

type appRow struct {
	Name     string    `json:"name"`
	Release  int       `json:"release"` // 0: nothing is live
	Commit   string    `json:"commit,omitempty"`
	Deployed time.Time `json:"deployed,omitzero"`
	URL      string    `json:"url"`
}

func (t *tree) appRows(ctx context.Context) ([]appRow, error) {
	apps, err := t.Ledger.Apps(ctx)
	if err != nil {
		return nil, err
	}
	rows := []appRow{}
	for _, a := range apps {
		if !t.May(a.Name, deploy.RoleView) {
			continue
		}
		row := appRow{Name: a.Name, Release: a.Live, URL: t.URL(a.Name)}
		if a.Live > 0 {
			rel, err := t.Ledger.Release(ctx, a.Name, a.Live)
			if err != nil {
				return nil, err
			}
			row.Commit, row.Deployed = rel.Commit, rel.Finished
		}
		rows = append(rows, row)
	}
	return rows, nil
}
