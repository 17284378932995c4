package server

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/gliderlabs/ssh"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// firstName is the name of a first person who gives none.
const firstName = "admin"

// errVoidCode is the answer to a code that opens nothing, whatever the
// reason.
var errVoidCode = errors.New("This code is void: it was used, has expired, or is mistyped. Ask for a new one.") //nolint:staticcheck // a whole text for a person

// invitation finds what a code opens. A client may try as many keys with it
// as it has; that counts as one try of the code.
func (t *try) invitation(ctx context.Context, user, code string) (people.Invitation, error) {
	if !t.link.src.mayGuess() {
		t.codeErr = errGuessing
		return people.Invitation{}, people.ErrVoid
	}
	open, err := t.s.cfg.Services.People.Invitations(ctx)
	if err != nil {
		return people.Invitation{}, err
	}
	i, ok := people.FindInvitation(open, code)
	if ok && i.Claim() == strings.HasPrefix(user, ClaimUser) {
		return i, nil
	}
	t.codeErr = errVoidCode
	if t.wrong != user {
		t.wrong = user
		t.link.src.wrongCode()
		t.s.cfg.Log.Warn().Stringer("from", t.link.RemoteAddr()).Msg("a wrong code was tried")
	}
	return people.Invitation{}, people.ErrVoid
}

// onboard registers the key that was proved with a code, and returns the
// exit code.
func (s *Server) onboard(sess ssh.Session, p proved, words []string) int {
	r := progress.NewReport(sess.Stderr())
	name := firstName
	claiming := strings.HasPrefix(sess.User(), ClaimUser)
	switch {
	case claiming && len(words) == 1:
		name = words[0]
	case len(words) > 0:
		r.Warn("nothing can be run with a code; run the line as it was given to you")
		return 2
	}
	i, err := s.cfg.Services.People.Redeem(sess.Context(), p.code, name, p.key)
	switch {
	case errors.Is(err, people.ErrVoid):
		r.Warn("%v", errVoidCode)
		return 1
	case errors.Is(err, people.ErrKeyTaken):
		r.Warn("this key is registered under another name already: use another one, ssh -i OTHER-KEY …")
		return 1
	case err != nil:
		r.Warn("%v", err)
		return 1
	}
	s.cfg.Log.Info().Str("who", i.Name).Bool("admin", i.Admin).Str("key", p.fingerprint).
		Stringer("from", sess.RemoteAddr()).Msg("a code was redeemed")
	s.welcome(sess, i, p.fingerprint, s.door(sess.LocalAddr()))
	return 0
}

// welcome shows exactly what to type next.
func (s *Server) welcome(w io.Writer, i people.Invitation, fingerprint string, door command.Door) {
	r := progress.NewReport(w)
	app := i.App
	r.Step("Welcome, %s (%s)", i.Name, i.Rights())
	r.Detail("you log in with the key %s", fingerprint)
	if app == "" {
		app = "hello"
	}
	switch {
	case i.Admin || i.Role >= core.RoleDeploy:
		r.Step("What to type next, in a repository with a package.json:")
		r.Detail("git remote add nodeos %s\ngit push nodeos main", door.Remote(app))
		r.Detail("%s will be at %s", app, s.cfg.Services.URL(app))
	case i.Role == core.RoleClone:
		r.Step("What to type next:")
		r.Detail("git clone %s", door.Remote(app))
	case i.App != "":
		r.Step("What to type next:")
		r.Detail("%s releases %s", door.SSH("nodeos"), app)
	}
	r.Step("Everything else: %s help", door.SSH("nodeos"))
	if i.Admin {
		r.Detail("let others in: %s users:invite NAME --role deploy --app %s", door.SSH("nodeos"), app)
	}
	if i.Name == firstName {
		r.Detail("another name for you: %s users:rename %s NAME", door.SSH("nodeos"), firstName)
	}
}
