package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"

	"gitd/internal/cli"
	"gitd/internal/deploy"
)

// provedKey is where the handshake leaves the fingerprint of the key whose
// signature was verified.
const provedKey = "gitd-fingerprint"

type offeredKeys struct{}
type rawConn struct{}

// config adds what gliderlabs/ssh has no handler for. PublicKeyHandler and
// Session.PublicKey speak of the key that was offered last, proved or not;
// only VerifiedPublicKeyCallback speaks of the one that was proved.
func (s *Server) config(ctx ssh.Context) *gossh.ServerConfig {
	return &gossh.ServerConfig{
		MaxAuthTries: maxAuthTries,
		VerifiedPublicKeyCallback: func(_ gossh.ConnMetadata, key gossh.PublicKey, _ *gossh.Permissions, _ string) (*gossh.Permissions, error) {
			if conn, ok := ctx.Value(rawConn{}).(net.Conn); ok {
				conn.SetDeadline(time.Time{}) //nolint:errcheck // a closed connection fails at its next read
			}
			return &gossh.Permissions{Extensions: map[string]string{provedKey: gossh.FingerprintSHA256(key)}}, nil
		},
	}
}

// limitHandshake gives a client that has proved nothing a bounded time.
func limitHandshake(ctx ssh.Context, conn net.Conn) net.Conn {
	if err := conn.SetDeadline(time.Now().Add(handshakeLimit)); err != nil {
		return nil
	}
	ctx.SetValue(rawConn{}, conn)
	return conn
}

// known lets a key go on to prove itself.
func (s *Server) known(ctx ssh.Context, key ssh.PublicKey) bool {
	if cli.AcceptableKey(key) == nil && s.registered(ctx, gossh.FingerprintSHA256(key)) {
		return true
	}
	offered, _ := ctx.Value(offeredKeys{}).([]string)
	if len(offered) < maxAuthTries {
		ctx.SetValue(offeredKeys{}, append(offered, gossh.FingerprintSHA256(key)))
	}
	return false
}

func (s *Server) registered(ctx context.Context, fingerprint string) bool {
	k, err := s.cfg.Services.People.Key(ctx, fingerprint)
	if err != nil && !errors.Is(err, deploy.ErrNotFound) {
		s.cfg.Log.Error().Err(err).Msg("keys cannot be read")
	}
	return err == nil && !k.Expired(time.Now())
}

// refuse tells a client whose keys are unknown what to do. It says nothing
// about who or what exists here, and never lets anyone in.
func (s *Server) refuse(ctx ssh.Context, ask gossh.KeyboardInteractiveChallenge) bool {
	offered, _ := ctx.Value(offeredKeys{}).([]string)
	text := "Your ssh offered no key. Make one with: ssh-keygen -t ed25519"
	if len(offered) > 0 {
		text = "None of the keys that you offered is known here:\n  " + strings.Join(offered, "\n  ") +
			"\nAn administrator can let you in, on the host:\n  gitd keys:add NAME < your-key.pub"
	}
	if _, err := ask("", text+"\n", nil, nil); err != nil {
		return false
	}
	return false
}

// identify finds who proved their key on this connection.
func (s *Server) identify(sess ssh.Session) (deploy.Actor, error) {
	conn, ok := sess.Context().Value(ssh.ContextKeyConn).(*gossh.ServerConn)
	if !ok || conn.Permissions == nil || conn.Permissions.Extensions[provedKey] == "" {
		return deploy.Actor{}, errors.New("no key was proved on this connection")
	}
	from, _, err := net.SplitHostPort(sess.RemoteAddr().String())
	if err != nil {
		return deploy.Actor{}, err
	}
	k, err := s.cfg.Services.People.KeyUsed(sess.Context(), conn.Permissions.Extensions[provedKey], from)
	if errors.Is(err, deploy.ErrNotFound) {
		return k, errors.New("this key was removed, or has expired")
	}
	if err != nil {
		s.cfg.Log.Error().Err(err).Msg("keys cannot be read")
		return k, fmt.Errorf("your key cannot be checked now; try again")
	}
	return k, nil
}
