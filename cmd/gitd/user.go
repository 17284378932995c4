package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/cgroup"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/libvirt/oldroot"
	"github.com/nodeos-dev/gitd/internal/service"
)

// serviceUser is as whom gitd runs when root starts it. scripts/setup adds this user.
const serviceUser = "gitd"

// oldBuildUser is as whom builds ran while gitd stayed root: their caches belong to it.
const oldBuildUser = 58420

// sharedCache has what all state folders of a host share: kernels. An ordinary user has a folder of their own.
const sharedCache = "/var/cache/gitd"

// userFlag adds --user to a command that works in the state folder by itself.
func (h *host) userFlag(f *pflag.FlagSet) {
	f.StringVar(&h.user, "user", serviceUser, "the user that gitd runs as, if root starts it: it does not stay root")
}

// become gives up root: this process goes on from its beginning, as the user of --user. It returns nil if it is an
// ordinary user's already. What root alone can do is done before: the state folder, KVM's device and the control groups
// are given to that user, and listen opens the doors that only root can open.
func (h *host) become(ctx context.Context, cmd *cobra.Command, log zerolog.Logger, listen ...door) error {
	if os.Geteuid() != 0 {
		return h.already(cmd.Flags().Lookup("user"))
	}
	who, err := service.Lookup(h.user)
	if err != nil {
		return err
	}
	if err := readable(cmd.Flags(), who); err != nil {
		return err
	}
	if f := cmd.Flags().Lookup(checkFlag); f != nil && f.Changed {
		return h.becomeNow(cmd, who, nil)
	}
	state := core.StateDir(h.state)
	if err := handOver(ctx, state, who, log); err != nil {
		return err
	}
	if cmd.Name() == "serve" {
		if err := prepareHost(who, log); err != nil {
			return err
		}
	}
	opened, err := openDoors(listen, func() (func(), error) { return lockFor(ctx, state, who, log) })
	if err != nil {
		return err
	}
	return h.becomeNow(cmd, who, opened)
}

func (h *host) becomeNow(cmd *cobra.Command, who service.Account, env []string) error {
	program, err := reachable(core.StateDir(h.state), who)
	if err != nil {
		return err
	}
	return who.Exec(service.Start{Program: program, Args: h.again(cmd), Home: h.state, Env: env})
}

// already refuses a user that only root could become.
func (h *host) already(flag *pflag.Flag) error {
	me, err := user.Current()
	if !flag.Changed || err == nil && me.Username == h.user {
		return nil
	}
	return core.Reject(fmt.Sprintf("--user %s: only root can run gitd as another user", h.user), "leave --user out, or begin as root")
}

// prepareHost does what only root can: KVM's device and the control groups. gitd does without either.
func prepareHost(who service.Account, log zerolog.Logger) error {
	if err := libvirt.ShareKVM(who.Name, log); err != nil {
		log.Warn().Err(err).Msgf("the user %s may not be able to use KVM", who.Name)
	}
	tree, err := cgroup.Prepare(who.UID, who.GID)
	switch {
	case errors.Is(err, cgroup.ErrUnavailable):
		log.Info().Msg(err.Error())
	case err != nil:
		return fmt.Errorf("control groups: %w", err)
	default:
		log.Debug().Msgf("control groups for the user %s: %s", who.Name, tree)
	}
	return nil
}

// reachable is the program that the user can run: this one, or a copy in the state folder.
func reachable(state core.StateDir, who service.Account) (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", err
	}
	return who.Program(self, core.Programs(state), "nodeos-init", "gitd-machine", "gitd-hook")
}

// pathFlags are those whose value is a path, which may be relative to the folder that root was in.
var pathFlags = []string{
	"state", "stock-kernel", "guest-init", "machine-program", "trusted-user-ca", "revoked-keys", "npm-keys", "certificate-dir", "acme-ca-root",
	"acme-dns-key", "receiver-ca", "key",
}

// readable refuses a file that root can read and the user cannot.
func readable(flags *pflag.FlagSet, who service.Account) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		path := f.Value.String()
		if f.Name == "state" || !slices.Contains(pathFlags, f.Name) || path == "" || who.CanRead(path) {
			return
		}
		if _, missing := os.Stat(path); missing == nil {
			err = core.Reject(fmt.Sprintf("--%s %s: the user %s, as whom gitd runs, cannot read it", f.Name, path, who.Name),
				"put it where every user may read it, for example below /etc/gitd")
		}
	})
	return err
}

// again are the arguments with which this program runs once more. What the environment says, it says again.
func (h *host) again(cmd *cobra.Command) []string {
	words := []string{cmd.Name(), "--state=" + h.state}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		path := slices.Contains(pathFlags, f.Name) && f.Value.String() != ""
		fromEnv := len(f.Annotations[variable]) > 0
		if f.Name == "state" || f.Name == "user" || fromEnv && !path {
			return
		}
		for _, value := range values(f) {
			if path {
				if abs, err := filepath.Abs(value); err == nil {
					value = abs
				}
			}
			words = append(words, "--"+f.Name+"="+value)
		}
	})
	if args := cmd.Flags().Args(); len(args) > 0 {
		words = append(append(words, "--"), args...)
	}
	return words
}

// values are those of a flag that was given, perhaps several times.
func values(f *pflag.Flag) []string {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		return list.GetSlice()
	}
	return []string{f.Value.String()}
}

// handOver gives the state folder, and what the states of this host share, to the user.
func handOver(ctx context.Context, state core.StateDir, who service.Account, log zerolog.Logger) error {
	if dir, err := who.Blocked(string(state)); err != nil {
		return err
	} else if dir != "" {
		return fmt.Errorf("the user %s, as whom gitd runs, cannot enter %s, and so not reach its state folder %s: "+
			"chmod o+x %s, or choose another folder with --state", who.Name, dir, state, dir)
	}
	folder := service.Folder{Path: string(state), From: formerUsers(), Mode: 0o711}
	found, err := folder.State(who)
	if err != nil {
		return err
	}
	switch found {
	case service.Ready:
		err = folder.Make(who)
	case service.Stranger:
		err = fmt.Errorf("the state folder %s belongs to neither root nor %s: name its owner with --user, or run: chown -R %s: %s",
			state, who.Name, who.Name, state)
	case service.OfRoot:
		if err = ofGitd(state); err == nil {
			err = takeOver(ctx, state, folder, who, log)
		}
	case service.Mixed:
		err = tidyUp(ctx, state, folder, who, log)
	}
	if err != nil || who.Name != serviceUser {
		return err
	}
	return shareCache(who)
}

// tidyUp hands over what root has left in the user's folder: a gitd before this one, or a person. Beside a gitd that
// serves, it stays as it is.
func tidyUp(ctx context.Context, state core.StateDir, folder service.Folder, who service.Account, log zerolog.Logger) error {
	if answers(ctx, state.Socket()) {
		log.Warn().Str("state", string(state)).Msgf("files of root's in the state folder, which the user %s may not be able to use, stay as they are while gitd serves", who.Name)
		return nil
	}
	return takeOver(ctx, state, folder, who, log)
}

// takeOver hands over a state folder that no gitd works in.
func takeOver(ctx context.Context, state core.StateDir, folder service.Folder, who service.Account, log zerolog.Logger) error {
	release, err := lockFor(ctx, state, who, log)
	if err != nil {
		return err
	}
	defer release()
	if err := oldroot.End(ctx, state, libvirt.QEMUUser, log); err != nil {
		return err
	}
	changed, err := folder.HandOver(who)
	if err == nil {
		log.Info().Str("state", string(state)).Int("files", changed).
			Msgf("gave the state folder to the user %s, as whom gitd runs from now on", who.Name)
	}
	return err
}

// lockFor locks the state folder for what root does there; the lock's file is the user's.
func lockFor(ctx context.Context, state core.StateDir, who service.Account, log zerolog.Logger) (release func(), err error) {
	lock, err := lockState(ctx, state, log)
	if err != nil {
		return nil, err
	}
	if err := who.Own(lockFile(state)); err != nil {
		lock.Close()
		return nil, err
	}
	return func() { lock.Close() }, nil
}

// ofGitd returns an error if a folder of root's is not a state folder: a mistake in --state must not give somebody's
// files away.
func ofGitd(state core.StateDir) error {
	for _, mark := range []string{state.Ledger(), lockFile(state), state.Machines(), state.Bases()} {
		if _, err := os.Lstat(mark); err == nil {
			return nil
		}
	}
	entries, err := os.ReadDir(string(state))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" {
			return core.Reject(fmt.Sprintf("%s is not empty, and not a state folder of gitd's", state), "choose another folder with --state")
		}
	}
	return nil
}

// shareCache gives the folder of compiled kernels to gitd's user.
func shareCache(who service.Account) error {
	folder := service.Folder{Path: sharedCache, Mode: 0o755}
	found, err := folder.State(who)
	if err == nil && found == service.Ready {
		return folder.Make(who)
	}
	if err == nil && found != service.Stranger {
		_, err = folder.HandOver(who)
	}
	return err
}

// formerUsers are those who had files in the state folder of a gitd that stayed root: QEMU's and that of builds.
func formerUsers() []int {
	uids := []int{oldBuildUser}
	if u, err := user.Lookup(libvirt.QEMUUser); err == nil {
		if uid, err := strconv.Atoi(u.Uid); err == nil {
			uids = append(uids, uid)
		}
	}
	return uids
}

// defaultState is /var/lib/gitd for root and for the user as whom a gitd of root runs, and a folder below XDG's state
// folder for everyone else.
func defaultState() string {
	const ofHost = "/var/lib/gitd"
	if os.Geteuid() == 0 {
		return ofHost
	}
	if me, err := user.Current(); err == nil && me.Username == serviceUser {
		return ofHost
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "gitd")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "gitd-state"
	}
	return filepath.Join(home, ".local", "state", "gitd")
}
