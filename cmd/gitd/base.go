package main

import (
	"github.com/spf13/cobra"

	"gitd/internal/deploy"
)

// baseBuild prepares the NodeOS base ahead of the first push. It works
// beside a running daemon: a base is a folder that appears whole.
func (h *host) baseBuild() *cobra.Command {
	var o options
	cmd := &cobra.Command{Use: "base:build", Short: "prepare the NodeOS base (kernel, init, Node) ahead of the first push", Args: cobra.NoArgs}
	o.builderFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.state = h.state
		log, err := logger(h.err, "warn")
		if err != nil {
			return err
		}
		if err := deploy.StateDir(o.state).Create(); err != nil {
			return err
		}
		b, err := o.builder(log)
		if err != nil {
			return err
		}
		r := deploy.NewReport(h.out)
		id, err := b.PrepareBase(cmd.Context(), r)
		if err == nil {
			r.Done("base %s is ready", id)
		}
		return err
	}
	return cmd
}
