// Package server is the SSH door: the host key, who a client is, git's
// transport, and the command tree for everything else.
//
// It owns connections and sessions. It does not own what a push becomes
// (hooks and the core) nor what a command does (cli). Identity is taken only
// from what the handshake proved.
package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gliderlabs/ssh"
	"github.com/rs/zerolog"
	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/admit"
	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/cli"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/repo"
	"github.com/nodeos-dev/gitd/internal/server/trust"
)

// Pushes registers a push for its hooks.
type Pushes interface {
	Open(p core.Push, objects core.Quarantine) (env []string, closed func())
}

// Git runs the transport.
type Git interface {
	Ensure(ctx context.Context, app string) error
	Quarantine(app string) (*repo.Quarantine, error)
	Serve(c repo.Call) (int, error)
}

// Core is what a session needs of the core.
type Core interface {
	// EnsureApp makes app unless it is there.
	EnsureApp(ctx context.Context, by core.Actor, app string) (made bool, err error)
	// DiscardApp removes app if nothing was deployed to it and nobody set anything for it.
	DiscardApp(ctx context.Context, by core.Actor, app string) (gone bool, err error)
	RepairRefs(ctx context.Context, app string)
}

// Config is what a Server works with. All fields are required, unless their
// comments say otherwise.
type Config struct {
	HostKey   gossh.Signer   // the one that clients should take
	OtherKeys []gossh.Signer // for those that do not know its kind; may be empty
	Trust     *trust.Trust   // certificates, and keys that are revoked; nil: neither
	Services  command.Services
	Pushes    Pushes
	Git       Git
	Core      Core
	Log       zerolog.Logger

	Watch        *audit.Watch  // is told who came, and what was refused; nil: only Log is
	Public       command.Door  // how people reach us; zero: as each of them came
	SessionsOf   int           // of one user at once; 0: SessionsOf
	LoginTimeout time.Duration // from connect to a proved key
	IdleTimeout  time.Duration // for a connection on which nothing happens
}

// Server is the SSH door.
type Server struct {
	cfg    Config
	ssh    *ssh.Server
	limits *limits
	pushes pushes
	ending *ending
	git    inFlight // sessions of git
	watch  *audit.Watch

	*arrivals

	Seats *Seats // the sessions that run

	mu    sync.Mutex
	links map[*link]bool // those that are logged in
}

// New makes a Server.
func New(cfg Config) *Server {
	if cfg.Trust == nil {
		cfg.Trust = &trust.Trust{}
	}
	s := &Server{cfg: cfg, limits: newLimits(), ending: newEnding(), links: map[*link]bool{}, arrivals: &arrivals{since: map[*link]time.Time{}}, watch: cfg.Watch, Seats: newSeats(cfg.SessionsOf)}
	s.ssh = &ssh.Server{
		Handler:                    s.session,
		HostSigners:                hostSigners(cfg),
		Version:                    "gitd",
		KeyboardInteractiveHandler: s.refuseAll, // without any handler, gliderlabs/ssh lets everyone in
		ServerConfigCallback:       s.config,
		ConnCallback:               s.accept,
		ChannelHandlers:            map[string]ssh.ChannelHandler{"session": s.channel},
		PtyCallback:                func(ssh.Context, ssh.Pty) bool { return true },
		ConnectionFailedCallback: func(c net.Conn, err error) { // the log for everybody: see link.Close
			cfg.Log.Debug().Str("from", c.RemoteAddr().String()).Err(err).Msg("handshake failed")
		},
	}
	if s.watch == nil {
		s.watch = audit.NewWatch(slog.New(zerolog.NewSlogHandler(cfg.Log)))
	}
	s.cfg.Services.Sessions = s.Seats
	cfg.Services.People.OnChange(s.Recheck)
	return s
}

// hostSigners are in the order in which the server offers them.
func hostSigners(cfg Config) []ssh.Signer {
	signers := []ssh.Signer{cfg.HostKey}
	for _, k := range cfg.OtherKeys {
		signers = append(signers, k)
	}
	return signers
}

// gitFarewell is how long pushes have, when gitd stops, to tell their clients what became of them.
const gitFarewell = 10 * time.Second

// Serve accepts connections until ctx ends. Sessions that run then are told, have a moment to say why they end, and are
// cut. Deployments belong to the core, which ends them.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	if err := s.limits.recall(ctx, s.cfg.Services.People); err != nil {
		s.cfg.Log.Error().Err(err).Msg("from where people came before is not known")
	}
	go s.watchFiles(ctx)
	l = admit.Patient(ctx, l, func(err error) { s.cfg.Log.Error().Err(err).Msg("the SSH door accepts no connection for now") })
	err := s.ssh.Serve(l)
	if ctx.Err() != nil {
		s.ending.tell(why(ctx))
		s.git.wait(gitFarewell)
	}
	s.ssh.Close()
	if err != nil && !errors.Is(err, ssh.ErrServerClosed) && ctx.Err() == nil {
		return fmt.Errorf("ssh: %w", err)
	}
	return nil
}

// door is how the client at the other end of local reaches us.
func (s *Server) door(local net.Addr) command.Door {
	if s.cfg.Public.Host != "" {
		return s.cfg.Public
	}
	host, port, err := net.SplitHostPort(local.String())
	if err != nil {
		return command.Door{}
	}
	return command.Door{Host: host, Port: port}
}

// session runs one command of a client.
func (s *Server) session(sess ssh.Session) {
	l := linkOf(sess.Context())
	defer l.beginCommand()()
	defer s.arrivals.remove(l)
	defer s.caught(sess)
	sess = watch(sess, s.cfg.IdleTimeout, func() { l.end("its session stalled") })
	who, p, err := s.identify(sess)
	if err != nil {
		fail(sess, 1, "%v", err)
		return
	}
	words, err := split(cmp.Or(p.forced, sess.RawCommand()))
	if err != nil {
		fail(sess, 2, "%v", err)
		return
	}
	if p.code != "" {
		exit(sess, s.onboard(sess, p, words))
		return
	}
	log := s.cfg.Log.With().Str("who", who.Name).Str("from", sess.RemoteAddr().String()).Logger()
	noteClient(sess, p, log)
	x, err := s.Seats.take(sess, l, who, words)
	if err != nil {
		s.watch.Note(refusedEvent(sess, who, words, err.Error()))
		exit(sess, refuse(sess, err))
		return
	}
	defer x.leave()
	s.arrivals.remove(l) // from now on it is seen among the seats
	if isGit(words) {
		defer s.git.begin()()
		x.hangsUp()
		start := time.Now()
		code := s.transport(sess, who, words)
		log.Info().Strs("command", words).Int("exit", code).Dur("took_ms", time.Since(start)).Msg("git session")
		exit(sess, code)
		return
	}
	if len(words) > 0 && refused(sess, words, s.door(sess.LocalAddr())) {
		exit(sess, 1)
		return
	}
	s.command(sess, who, words, x, log)
}

// refused answers what a client of git asks for and gitd does not serve.
func refused(sess ssh.Session, words []string, door command.Door) bool {
	switch words[0] {
	case archive:
		refuseArchive(sess, words, door)
	case lfsTransfer, lfsAuthenticate:
		refuseLFS(progress.NewReport(sess.Stderr()))
	default:
		return false
	}
	return true
}

// noteClient logs which program has come and what it chose, so that an operator sees who needs an older algorithm.
func noteClient(sess ssh.Session, p proved, log zerolog.Logger) {
	conn, ok := sess.Context().Value(ssh.ContextKeyConn).(*gossh.ServerConn)
	if !ok {
		return
	}
	line := log.Debug().Bytes("client", conn.ClientVersion()).Str("key", p.key.Type())
	if a, ok := conn.Conn.(gossh.AlgorithmsConnMetadata); ok {
		line = line.Str("host_key", a.Algorithms().HostKey).Str("kex", a.Algorithms().KeyExchange)
	}
	line.Msg("session began")
}

// command runs one line of the command tree; on a terminal, no line at all
// is the overview.
func (s *Server) command(sess ssh.Session, who core.Actor, words []string, x *seat, log zerolog.Logger) {
	c := caller(sess, who, s.door(sess.LocalAddr()))
	c.Denied = func(why string) { s.watch.Note(refusedEvent(sess, who, words, why)) }
	c.Stay = func() error {
		err := x.stay()
		if err != nil {
			c.Denied(err.Error())
		}
		return err
	}
	if cli.Waits(words) {
		c.In = unwatched(sess)
	}
	ctx, end, done := s.ending.command(x.ctx)
	defer done() // after the exit code was sent: see Recheck
	code := 0
	switch {
	case len(words) == 0 && c.Terminal == nil:
		can := "Run"
		if who.MayDeploy() {
			can = "Deploy with `git push`, or run"
		}
		progress.NewReport(c.Err).Warn("there is no shell here, %s. %s one of these commands:", who.Name, can)
		words, code = []string{"help"}, 2
	case len(words) == 0:
		words = []string{cli.OverviewName}
	case c.Terminal != nil && !cli.TakesKeys(words):
		c.In = cooked(c.In, end)
	}
	log.Debug().Str("command", progress.Printable(words[0])).Msg("command began")
	code = max(code, cli.Run(ctx, s.cfg.Services, c, words))
	// The name only: arguments may be config values.
	log.Info().Str("command", progress.Printable(words[0])).Int("exit", code).Msg("command session")
	exit(sess, code)
}

// caught keeps a panic in one command from ending the daemon, and with it
// everyone's sessions and deployments.
func (s *Server) caught(sess ssh.Session) {
	if bug := recover(); bug != nil {
		s.cfg.Log.Error().Any("panic", bug).Str("stack", string(debug.Stack())).Msg("a session failed: this is a bug in gitd")
		fail(sess, 1, "gitd failed at this: a bug; its log has the details")
	}
}

func fail(sess ssh.Session, code int, format string, args ...any) {
	r := progress.NewReport(sess.Stderr())
	r.Warn(format, args...)
	exit(sess, code)
}

func exit(sess ssh.Session, code int) {
	if err := sess.Exit(code); err != nil && !errors.Is(err, io.EOF) {
		return // the client has gone
	}
}
