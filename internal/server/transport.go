package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gliderlabs/ssh"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/repo"
)

// The commands of git that a client runs here, and the variable it may set.
const (
	receivePack = "git-receive-pack"
	uploadPack  = "git-upload-pack"
	archive     = "git-upload-archive" // not served: see repo.Service
	gitProtocol = "GIT_PROTOCOL"
)

// transport runs git for a client and returns the exit code.
func (s *Server) transport(sess ssh.Session, who core.Actor, words []string) int {
	started := time.Now()
	r := progress.NewReport(sess.Stderr())
	app, err := appName(words, s.door(sess.LocalAddr()))
	if err != nil {
		s.watch.Note(refusedEvent(sess, who, words, err.Error()))
		return refuse(sess, err)
	}
	call := repo.Call{
		App: app, Service: repo.Service(strings.TrimPrefix(words[0], "git-")),
		Protocol: variable(sess.Environ(), gitProtocol),
		In:       sess, Out: sess, Err: sess.Stderr(),
	}
	if err := allowed(call, who); err != nil {
		s.watch.Note(refusedEvent(sess, who, words, err.Error()))
		return refuse(sess, err)
	}
	end, err := s.prepare(sess.Context(), call, who)
	defer end(func() { s.discard(r, who, app) })
	if err != nil {
		return refuse(sess, err)
	}
	if call.Service == repo.ReceivePack {
		if call.Quarantine, err = s.cfg.Git.Quarantine(app); err != nil {
			r.Warn("%v", err)
			return 1
		}
		env, closed := s.cfg.Pushes.Open(core.Push{App: app, By: who, From: sess.RemoteAddr().String(), Started: started}, call.Quarantine)
		defer closed()
		call.Env = env
	}
	code, err := s.cfg.Git.Serve(call)
	if err != nil {
		s.cfg.Log.Error().Err(err).Str("app", app).Msg("git does not run")
		r.Warn("git does not run on the server: %v", err)
	}
	return code
}

// allowed says why who may not do c. The role comes before the name: see
// command.NoApp.
func allowed(c repo.Call, who core.Actor) error {
	need := core.RoleClone
	if c.Service == repo.ReceivePack {
		need = core.RoleDeploy
	}
	if !who.May(c.App, core.RoleView) {
		return command.NoApp(c.App)
	}
	return command.Allowed(who, c.App, need)
}

// prepare makes the app on its first push, and brings its refs to what the
// ledger says before git advertises them. end is never nil: see pushes.begin.
func (s *Server) prepare(ctx context.Context, c repo.Call, who core.Actor) (end func(discard func()), err error) {
	end = func(func()) {}
	if c.Service == repo.ReceivePack {
		end, err = s.pushes.begin(c.App, func() (made bool, err error) {
			if made, err = s.cfg.Core.EnsureApp(ctx, who, c.App); err == nil {
				err = s.cfg.Git.Ensure(ctx, c.App)
			}
			return made, err
		})
	} else {
		err = s.find(ctx, c.App)
	}
	if err == nil {
		s.cfg.Core.RepairRefs(ctx, c.App)
	}
	return end, err
}

// find makes sure that an app which is to be read is there.
func (s *Server) find(ctx context.Context, app string) error {
	_, err := s.cfg.Services.Ledger.App(ctx, app)
	if errors.Is(err, core.ErrNotFound) {
		return command.NoApp(app)
	}
	if err != nil {
		return err
	}
	return s.cfg.Git.Ensure(ctx, app)
}

// discard removes an app that a push has made and nothing was deployed to. It
// is not tied to the client, who may be gone.
func (s *Server) discard(r *progress.Report, who core.Actor, app string) {
	gone, err := s.cfg.Core.DiscardApp(context.Background(), who, app)
	if err != nil {
		s.cfg.Log.Error().Err(err).Str("app", app).Msg("an app that nothing was deployed to is not removed")
	}
	if gone {
		r.Detail("the app %s was not kept, since nothing was deployed; `apps:create %s` makes it without a push", app, app)
	}
}

// appName reads the app from "git-receive-pack '/shop.git'".
func appName(words []string, door command.Door) (string, error) {
	if len(words) != 2 {
		return "", fmt.Errorf("%s takes one repository; the remote is %s", words[0], door.Remote("APP"))
	}
	name := repoName(words[1])
	return name, core.CheckName(name)
}

// repoName is the app of a path that git asks for.
func repoName(path string) string { return strings.TrimSuffix(strings.Trim(path, "/"), ".git") }

// variable finds what the client set name to, or "".
func variable(environ []string, name string) string {
	for _, e := range environ {
		if k, v, ok := strings.Cut(e, "="); ok && k == name {
			return v
		}
	}
	return ""
}

// refuseArchive tells `git archive --remote` what is there instead, in the way
// that makes git print it as the server's error.
func refuseArchive(w io.Writer, words []string, door command.Door) {
	remote := door.Remote("APP")
	if app, err := appName(words, door); err == nil {
		remote = door.Remote(app)
	}
	text := fmt.Sprintf("ERR archives are not made here: git clone --depth 1 %s, then git archive in it", remote)
	pktline.NewEncoder(w).EncodeString(text) //nolint:errcheck // the client has gone
}
