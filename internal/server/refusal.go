package server

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/server/trust"
)

// refusal is a key that was offered and not let through.
type refusal struct{ key, why string }

// refuse notes a key that was not let through. A client is told only what is
// wrong with the kind of its key or with its certificate: whether a key is
// unknown, expired or removed is not told.
func (t *try) refuse(key gossh.PublicKey, err error) {
	r := refusal{key: gossh.FingerprintSHA256(key)}
	var kind *people.KeyKindError
	var cert *trust.CertificateError
	switch {
	case errors.As(err, &kind), errors.As(err, &cert):
		r.why = err.Error()
	case !gone(err) && !errors.Is(err, people.ErrVoid):
		t.s.cfg.Log.Error().Err(err).Msg("keys cannot be read")
	}
	t.note(r)
}

// refuseAlgorithm notes what was refused before any key was looked at.
func (t *try) refuseAlgorithm(err error) {
	switch text := err.Error(); {
	case strings.Contains(text, `algorithm "ssh-rsa" not accepted`):
		t.note(refusal{"an RSA key", "your ssh signs with SHA-1, which is not safe any more; update it, or make a key with `ssh-keygen -t ed25519`"})
	case strings.Contains(text, `algorithm "ssh-dss" not accepted`):
		t.note(refusal{"a DSA key", "DSA is not safe any more; make a key with `ssh-keygen -t ed25519`"})
	}
}

func (t *try) note(r refusal) {
	if len(t.refused) < maxAuthTries {
		t.refused = append(t.refused, r)
	}
}

// interactive is what a client asks for when none of its keys was let
// through: it is told what to do, and never let in. Nothing here depends on
// who or what exists.
func (t *try) interactive(ask gossh.KeyboardInteractiveChallenge, door command.Door) {
	if t.told {
		return // a client asks three times
	}
	t.told = true
	var b strings.Builder
	switch {
	case t.codeErr != nil:
		fmt.Fprintf(&b, "%s\n", t.codeErr)
	case len(t.refused) == 0:
		b.WriteString("Your ssh offered no key, or only one that it would sign with SHA-1. Make one with: ssh-keygen -t ed25519\n")
	default:
		b.WriteString("None of the keys that you offered is known here:\n")
		for _, r := range t.refused {
			b.WriteString("  " + progress.Printable(strings.TrimSuffix(r.key+": "+r.why, ": ")) + "\n")
		}
		b.WriteString("An administrator can let you in, with a line to send you or with your public key:\n" +
			"  " + door.SSH("nodeos") + " users:invite NAME\n" +
			"  " + door.SSH("nodeos") + " keys:add NAME < your-key.pub\n")
	}
	ask("", b.String(), nil, nil) //nolint:errcheck // the client has gone: nobody to tell
}

// refuseAll is the handler for keyboard-interactive: it has no right answer.
func (s *Server) refuseAll(ctx ssh.Context, ask gossh.KeyboardInteractiveChallenge) bool {
	if t, ok := ctx.Value(tryKey{}).(*try); ok {
		t.interactive(ask, s.door(ctx.LocalAddr()))
	}
	return false
}

// tryKey is where the context holds the connection's try.
type tryKey struct{}
