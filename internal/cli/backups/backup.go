package backups

import (
	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/backup"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// Name is the command that makes a backup, of which a part runs on the host.
const Name = "backup"

// OfHost are the commands about backups.
func OfHost(s command.Shared) []*cobra.Command {
	c := commands{s}
	return []*cobra.Command{c.backup(), c.schedule(), c.list()}
}

// onHost reports whether the caller is on the host, and not at the SSH door.
func (c commands) onHost() bool { return c.Name == core.Host().Name }

func (c commands) backup() *cobra.Command {
	cmd := &cobra.Command{
		Use: Name + " [-o FILE] [--with-key] [--layers]", DisableFlagsInUseLine: true,
		Short: "write all that gitd has into one file, or a pipe, while it serves",
		Long: "Write the ledger, the repositories and the volumes into one file, which `gitd restore` makes a server of again.\n" +
			"Volumes are copied at a moment at which their apps write nothing. Without -o it goes to standard output, for\n" +
			"restic, age or ssh; its progress goes to standard error, and the exit code says whether it is whole.",
		Example: "backup -o /srv/gitd.tar\nbackup --with-key | age -r age1… > gitd.tar.age", Args: command.Args(cobra.NoArgs),
	}
	to := cmd.Flags().StringP("output", "o", "-", "the file, which gets its name when it is whole; -: standard output")
	key := cmd.Flags().Bool("with-key", false, "the keys too: of the config of all apps, of this host, of certificates. Keep such a backup as you keep them")
	layers := cmd.Flags().Bool("layers", false, "the images too: a restore then builds nothing")
	cmd.RunE = c.AdminOnly(func(cmd *cobra.Command, _ []string) error {
		switch {
		case *to != "-":
			return core.Reject("over SSH, the file is yours and not the server's", "leave -o out and add to the line: > FILE")
		case *key && !c.onHost():
			return core.Reject("keys leave the server by nobody but who is on it", "type it on the host: gitd backup --with-key")
		case c.Terminal != nil:
			return core.Reject("a backup is nothing for a terminal", "name a file with -o, or add to the line: > FILE")
		}
		o := backup.Options{Secrets: *key, Layers: *layers}
		return c.Backups.Write(cmd.Context(), c.Actor, o, c.Out, progress.NewReport(c.Err))
	})
	return cmd
}
