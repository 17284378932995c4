// Package server is the SSH door: the host key, who a client is, git's
// transport, and the command tree for everything else.
//
// It owns connections and sessions. It does not own what a push becomes
// (hooks and the core) nor what a command does (cli). Identity is taken only
// from what the handshake proved.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/gliderlabs/ssh"
	"github.com/rs/zerolog"
	gossh "golang.org/x/crypto/ssh"

	"gitd/internal/cli"
	"gitd/internal/deploy"
	"gitd/internal/repo"
)

const (
	handshakeLimit = 30 * time.Second // from connect to a proved key
	maxAuthTries   = 10               // keys that one connection may offer
)

// Pushes registers a push for its hooks.
type Pushes interface {
	Open(p deploy.Push) (env []string, closed func())
}

// Git runs the transport.
type Git interface {
	Ensure(ctx context.Context, app string) error
	Serve(c repo.Call) (int, error)
}

// Core is what a session needs of the core.
type Core interface {
	RepairRefs(ctx context.Context, app string)
}

// Config is what a Server works with. Every field is required.
type Config struct {
	HostKey  gossh.Signer
	Services cli.Services
	Pushes   Pushes
	Git      Git
	Core     Core
	Log      zerolog.Logger
}

// Server is the SSH door.
type Server struct {
	cfg Config
	ssh *ssh.Server
}

// New makes a Server.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg}
	s.ssh = &ssh.Server{
		Handler:                    s.session,
		HostSigners:                []ssh.Signer{cfg.HostKey},
		Version:                    "gitd",
		PublicKeyHandler:           s.known,
		KeyboardInteractiveHandler: s.refuse,
		ServerConfigCallback:       s.config,
		ConnCallback:               limitHandshake,
		PtyCallback:                func(ssh.Context, ssh.Pty) bool { return true },
		ConnectionFailedCallback: func(c net.Conn, err error) {
			cfg.Log.Debug().Str("from", c.RemoteAddr().String()).Err(err).Msg("no login")
		},
	}
	return s
}

// Serve accepts connections until ctx ends. Sessions that run then are cut;
// deployments they started belong to the core and are not.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { s.ssh.Close() })
	defer stop()
	if err := s.ssh.Serve(l); err != nil && !errors.Is(err, ssh.ErrServerClosed) && ctx.Err() == nil {
		return fmt.Errorf("ssh: %w", err)
	}
	return nil
}

// session runs one command of a client.
func (s *Server) session(sess ssh.Session) {
	who, err := s.identify(sess)
	if err != nil {
		fail(sess, "%v", err)
		return
	}
	words, caller := sess.Command(), caller(sess, who)
	if len(words) == 0 && caller.Terminal != nil {
		words = []string{"overview"}
	}
	log := s.cfg.Log.With().Str("who", who.Name).Str("from", sess.RemoteAddr().String()).Logger()
	switch {
	case len(words) == 0:
		deploy.NewReport(sess.Stderr()).Warn("there is no shell here, %s. Deploy with `git push`, or run one of these commands:", who.Name)
		cli.Run(sess.Context(), s.cfg.Services, caller, []string{"help"})
		exit(sess, 2)
	case words[0] == "git-receive-pack", words[0] == "git-upload-pack":
		start := time.Now()
		code := s.transport(sess, who, words)
		log.Info().Strs("command", words).Int("exit", code).Dur("took_ms", time.Since(start)).Msg("git session")
		exit(sess, code)
	default:
		code := cli.Run(sess.Context(), s.cfg.Services, caller, words)
		// The name only: arguments may be config values one day.
		log.Info().Str("command", words[0]).Int("exit", code).Msg("command session")
		exit(sess, code)
	}
}

func fail(sess ssh.Session, format string, args ...any) {
	r := deploy.NewReport(sess.Stderr())
	r.Warn(format, args...)
	exit(sess, 1)
}

func exit(sess ssh.Session, code int) {
	if err := sess.Exit(code); err != nil && !errors.Is(err, io.EOF) {
		return // the client has gone
	}
}
