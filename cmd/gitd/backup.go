package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/audit"
	copying "github.com/nodeos-dev/gitd/internal/backup"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/repo"
	"github.com/nodeos-dev/gitd/internal/schedule"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// copyRoom is what makes backups, and what goes on after a restore.
type copyRoom struct {
	backups *copying.Backups
	rebuild copying.Rebuilder
}

func newCopyRoom(d *daemon, o *options) copyRoom {
	state, log := core.StateDir(o.state), slog.New(zerolog.NewSlogHandler(d.log))
	trail := audit.New(d.ledger, log)
	return copyRoom{
		copying.New(copying.Config{
			State: state, Ledger: d.ledger, Repos: repo.NewBundles(d.repos), Copies: d.core.Copies, Trail: trail, Log: log, Version: buildVersion(),
			Next: nextBackup,
		}),
		copying.Rebuilder{State: state, Lives: d.ledger.Lives, Rebuild: d.core.Rebuild, Trail: trail, Log: log},
	}
}

// nextBackup reads a schedule that may begin with its time zone.
func nextBackup(text string, after time.Time) (time.Time, error) {
	times, zone := schedule.Split(text)
	next, err := schedule.Next(times, zone, after)
	if err == nil && next.IsZero() {
		err = errors.New("there is no such time")
	}
	return next, err
}

// run works beside the doors until ctx ends.
func (c copyRoom) run(ctx context.Context) error {
	c.rebuild.Run(ctx)
	return c.backups.KeepTime(ctx)
}

// backup has the daemon write a backup. The file is this process's: whoever runs it may write where gitd may not.
func backup(h *host, cmd *cobra.Command, args []string) error {
	to := cmd.Flags().Lookup("output")
	path := to.Value.String()
	if path == "-" {
		return h.forward(cmd, args)
	}
	if err := to.Value.Set("-"); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has another name then, if all is well
	defer f.Close()
	there := *h
	there.out = f
	if err := there.forward(cmd, args); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), os.Rename(f.Name(), path)); err != nil {
		return err
	}
	return disk.SyncFolder(filepath.Dir(path))
}

// backupCheck reads a backup and says whether it is whole.
func backupCheck(h *host) *cobra.Command {
	return &cobra.Command{
		Use: "backup:check FILE", Args: command.Args(cobra.ExactArgs(1)),
		Short: "read a backup, - for standard input, and say whether it is whole and as it was written",
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := openBackup(h, args[0])
			if err != nil {
				return err
			}
			defer from.Close()
			r := progress.NewReport(h.out)
			if err := copying.Check(cmd.Context(), from, r); err != nil {
				return err
			}
			r.Done("it is whole, and as it was written")
			return nil
		},
	}
}

func openBackup(h *host, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(h.in), nil
	}
	return os.Open(path)
}

// restore makes a state folder of a backup.
func restore(h *host) *cobra.Command {
	cmd := &cobra.Command{
		Use: "restore FILE [--key FILE]", DisableFlagsInUseLine: true, Args: command.Args(cobra.ExactArgs(1)),
		Short: "make an empty state folder of a backup, - for standard input",
	}
	key := cmd.Flags().String("key", "", "file with the key of the config (gitd.db.key), for a backup that was made without --with-key")
	handed := cmd.Flags().Int("key-handed", 0, "the descriptor by which root hands the key to the user that it becomes")
	cmd.Flags().Lookup("key-handed").Hidden = true
	h.userFlag(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if os.Geteuid() == 0 {
			if err := handOpen(cmd, args[0], *key); err != nil {
				return err
			}
		}
		log, err := logger(h.err, "info")
		if err != nil {
			return err
		}
		if err := h.become(cmd.Context(), cmd, log); err != nil {
			return err
		}
		text, err := readKey(*key, *handed)
		if err != nil {
			return err
		}
		from, err := openBackup(h, args[0])
		if err != nil {
			return err
		}
		defer from.Close()
		return h.mendHere(cmd.Context(), log, func(state core.StateDir, r *progress.Report) error {
			return copying.Restore(cmd.Context(), state, copying.Wish{From: from, Key: text}, &restoring{}, r)
		})
	}
	return cmd
}

// handOpen opens the files that root can read, for the user whom it becomes: the backup is that one's standard input.
func handOpen(cmd *cobra.Command, path, key string) error {
	words := []string{"-"}
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := unix.Dup3(int(f.Fd()), 0, 0); err != nil {
			return err
		}
	}
	if key != "" {
		f, err := os.Open(key)
		if err != nil {
			return err
		}
		defer f.Close()
		const unused = 100 // a descriptor that nobody has
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD, unused)
		if err != nil {
			return err
		}
		words = append(words, "--key=", fmt.Sprintf("--key-handed=%d", fd))
	}
	return cmd.Flags().Parse(words)
}

// mostKey bounds the file of a key, in bytes.
const mostKey = 64 << 10

func readKey(path string, handed int) ([]byte, error) {
	var f *os.File
	switch {
	case handed > 0:
		f = os.NewFile(uintptr(handed), "--key")
	case path == "":
		return nil, nil
	default:
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, err
		}
	}
	defer f.Close()
	var b bytes.Buffer
	_, err := io.CopyN(&b, f, mostKey)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b.Bytes(), err
}

// restoring implements copying.Restored.
type restoring struct {
	repos map[core.StateDir]repo.Bundles
}

// Open implements copying.Restored.
func (*restoring) Open(ctx context.Context, state core.StateDir) (known copying.Known, err error) {
	l, err := ledger.Open(ctx, state.Ledger())
	if errors.Is(err, ledger.ErrNoKey) {
		return known, copying.ErrNoKey
	}
	if err != nil {
		return known, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	if known.Apps, err = l.Apps(ctx); err != nil {
		return known, err
	}
	known.Volumes, err = l.Volumes(ctx, "")
	return known, err
}

// Unbundle implements copying.Restored.
func (r *restoring) Unbundle(ctx context.Context, state core.StateDir, app string, shallow []byte, from io.Reader) error {
	if _, ok := r.repos[state]; !ok {
		w, err := walls.New(ctx)
		if err != nil {
			return fmt.Errorf("git must not read a backup without walls: %w", err)
		}
		git, err := repo.Open(state, w)
		if err != nil {
			return err
		}
		r.repos = map[core.StateDir]repo.Bundles{state: repo.NewBundles(git)}
	}
	return r.repos[state].Read(ctx, app, shallow, from)
}
