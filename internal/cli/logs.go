package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"gitd/internal/deploy"
)

func (t *tree) logs() *cobra.Command {
	cmd := &cobra.Command{Use: "logs APP [-t] [-n N]", DisableFlagsInUseLine: true, Short: "show what an app said", Args: args(cobra.ExactArgs(1))}
	follow := cmd.Flags().BoolP("tail", "t", false, "go on with new lines, through swaps, until interrupted")
	num := cmd.Flags().IntP("num", "n", 100, "how many lines")
	cmd.RunE = func(cmd *cobra.Command, a []string) error {
		if _, err := t.Ledger.App(cmd.Context(), a[0]); err != nil {
			return noApp(a[0], err)
		}
		if *follow {
			lines, err := t.Logs.Follow(cmd.Context(), a[0], max(*num, 0))
			if err != nil {
				return err
			}
			for l := range lines {
				if err := writeLine(t.Out, l); err != nil {
					return err
				}
			}
			return nil
		}
		lines, err := t.Logs.Tail(a[0], max(*num, 0))
		if err != nil {
			return err
		}
		for _, l := range lines {
			if err := writeLine(t.Out, l); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

func writeLine(w io.Writer, l deploy.Line) error {
	_, err := fmt.Fprintf(w, "%s v%d %s: %s\n", l.Time.UTC().Format("2006-01-02T15:04:05.000Z"), l.Release, l.Stream, deploy.Printable(l.Text))
	return err
}
