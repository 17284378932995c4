package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/gliderlabs/ssh"
	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// maxAuthTries is how many keys one connection may offer.
const maxAuthTries = 20

// The prefixes of SSH users that are codes of invitations: see Server.onboard.
const (
	ClaimUser = "claim-"
	JoinUser  = "join-"
)

// signatures are those that may prove a key. What is missing: ssh-rsa, which
// signs with SHA-1, and DSA.
var signatures = []string{
	gossh.KeyAlgoED25519, gossh.KeyAlgoSKED25519, gossh.KeyAlgoSKECDSA256,
	gossh.KeyAlgoECDSA256, gossh.KeyAlgoECDSA384, gossh.KeyAlgoECDSA521,
	gossh.KeyAlgoRSASHA512, gossh.KeyAlgoRSASHA256,
}

// proved is what a handshake has shown.
type proved struct {
	key         gossh.PublicKey
	fingerprint string
	user        string    // whom a certificate names; empty: look the key up
	name        string    // whose key it was at the login; empty: nobody's yet
	account     string    // whose budget it counts against: see Seats
	certificate string    // its id and serial, for the log
	forced      string    // the one command that the certificate may run; empty: all
	until       time.Time // zero: no end is known
	code        string    // hash of the invitation it came with; empty: none
	from        netip.Addr
}

// provedKey is where Permissions hold what was proved.
type provedKey struct{}

func permissions(p proved) *gossh.Permissions {
	return &gossh.Permissions{ExtraData: map[any]any{provedKey{}: p}}
}

// config is one connection's. The callbacks are not those of gliderlabs/ssh:
// its PublicKeyHandler and Session.PublicKey speak of the key that was
// offered last, proved or not. Permissions speak of the one that was proved.
func (s *Server) config(ctx ssh.Context) *gossh.ServerConfig {
	t := &try{s: s, link: linkOf(ctx)}
	ctx.SetValue(tryKey{}, t)
	return &gossh.ServerConfig{
		MaxAuthTries:              maxAuthTries,
		PublicKeyAuthAlgorithms:   signatures,
		PublicKeyCallback:         t.offered,
		VerifiedPublicKeyCallback: t.verified,
		AuthLogCallback:           t.log,
	}
}

// try is one connection's attempt to log in. Its methods are called one
// after the other.
type try struct {
	s       *Server
	link    *link
	refused []refusal
	wrong   string // the SSH user with the last wrong code
	told    bool   // the client was told what to do
	codeErr error  // why the code that it came with opens nothing; nil: it came with none, or with a good one
}

// offered lets a key go on to prove itself, or not.
func (t *try) offered(conn gossh.ConnMetadata, key gossh.PublicKey) (*gossh.Permissions, error) {
	ctx, cancel := context.WithTimeout(context.Background(), t.s.cfg.LoginTimeout)
	defer cancel()
	p, err := t.admit(ctx, conn, key)
	if err != nil {
		t.link.offered(conn, key, err)
		t.refuse(key, err)
		return nil, err
	}
	perms := permissions(p)
	if cert, ok := key.(*gossh.Certificate); ok {
		perms.CriticalOptions = cert.CriticalOptions // x/crypto holds to source-address
	}
	return perms, nil
}

func (t *try) admit(ctx context.Context, conn gossh.ConnMetadata, key gossh.PublicKey) (proved, error) {
	p := proved{key: key, fingerprint: gossh.FingerprintSHA256(key), from: t.from()}
	if err := t.s.cfg.Trust.Revoked(key); err != nil {
		return p, err
	}
	if cert, ok := key.(*gossh.Certificate); ok {
		return t.certified(ctx, conn, cert)
	}
	if err := people.AcceptableKey(key); err != nil {
		return p, err
	}
	if code, ok := codeOf(conn.User()); ok {
		i, err := t.invitation(ctx, conn.User(), code)
		p.code, p.account = i.Hash, "code "+i.Hash
		return p, err
	}
	k, err := t.s.cfg.Services.People.Key(ctx, p.fingerprint)
	if err == nil && (k.Expired(time.Now()) || !k.AllowsFrom(p.from)) {
		err = core.ErrNotFound
	}
	p.until, p.name, p.account = k.Expires, k.Name, k.Name
	if k.Limit != (core.Limit{}) {
		p.account = p.fingerprint
	}
	return p, err
}

// userOf is the name that a client gives itself, without the code of an invitation.
func userOf(conn gossh.ConnMetadata) string {
	for _, prefix := range []string{ClaimUser, JoinUser} {
		if strings.HasPrefix(conn.User(), prefix) {
			return prefix + "…"
		}
	}
	return conn.User()
}

// from is the address of the client.
func (t *try) from() netip.Addr {
	ap, _ := netip.ParseAddrPort(t.link.RemoteAddr().String()) // the zero Addr, which is in no list
	return ap.Addr()
}

// verified is called with the key whose signature was right.
func (t *try) verified(conn gossh.ConnMetadata, key gossh.PublicKey, perms *gossh.Permissions, _ string) (*gossh.Permissions, error) {
	p, ok := perms.ExtraData[provedKey{}].(proved)
	if !ok || !bytes.Equal(p.key.Marshal(), key.Marshal()) {
		return nil, errors.New("the key that was proved is not the one that was let through")
	}
	t.link.loggedIn(p)
	said := fmt.Sprintf("%s %s, client %q", key.Type(), strings.TrimSpace(p.fingerprint+" "+p.certificate), progress.Shorten(string(conn.ClientVersion())))
	t.s.watch.Note(audit.Event{Action: "login", Result: audit.OK, Actor: cmp.Or(p.name, userOf(conn)), From: t.link.RemoteAddr().String(), Detail: said})
	return perms, nil
}

// log notes what x/crypto refused without asking us.
func (t *try) log(_ gossh.ConnMetadata, method string, err error) {
	if method == "publickey" && err != nil {
		t.refuseAlgorithm(err)
	}
}

// codeOf reads the code in a user such as join-7k3m-….
func codeOf(user string) (string, bool) {
	for _, prefix := range []string{ClaimUser, JoinUser} {
		if code, ok := strings.CutPrefix(user, prefix); ok {
			return code, true
		}
	}
	return "", false
}

// identify finds who proved their key on this connection, at this moment.
func (s *Server) identify(sess ssh.Session) (core.Actor, proved, error) {
	conn, ok := sess.Context().Value(ssh.ContextKeyConn).(*gossh.ServerConn)
	if !ok || conn.Permissions == nil {
		return core.Actor{}, proved{}, errors.New("no key was proved on this connection")
	}
	p, ok := conn.Permissions.ExtraData[provedKey{}].(proved)
	if !ok {
		return core.Actor{}, proved{}, errors.New("no key was proved on this connection")
	}
	if p.code != "" {
		return core.Actor{}, p, nil
	}
	a, err := s.used(sess.Context(), p, sess.RemoteAddr())
	if err == nil {
		// Whatever was taken before this is seen by the second look, and
		// whatever is taken after it by Recheck.
		linkOf(sess.Context()).setActor(a)
		a, err = s.lookUp(sess.Context(), p)
	}
	if gone(err) {
		return a, p, errors.New("this key was removed, or has expired")
	}
	if err != nil {
		s.cfg.Log.Error().Err(err).Msg("keys cannot be read")
		return a, p, errors.New("your key cannot be checked now; try again")
	}
	return a, p, nil
}

// used finds who p is now, and notes that the key was used.
func (s *Server) used(ctx context.Context, p proved, from net.Addr) (core.Actor, error) {
	if p.user != "" {
		return s.lookUp(ctx, p)
	}
	host, _, err := net.SplitHostPort(from.String())
	if err != nil {
		return core.Actor{}, err
	}
	return s.cfg.Services.People.KeyUsed(ctx, p.fingerprint, host)
}

// lookUp finds who p is now. core.ErrNotFound: nobody any more.
func (s *Server) lookUp(ctx context.Context, p proved) (core.Actor, error) {
	known := s.cfg.Services.People
	k := people.Key{Name: p.user, Fingerprint: p.fingerprint}
	if p.user == "" {
		var err error
		if k, err = known.Key(ctx, p.fingerprint); err != nil {
			return core.Actor{}, err
		}
	}
	if k.Expired(time.Now()) || !k.AllowsFrom(p.from) || !p.until.IsZero() && time.Now().After(p.until) {
		return core.Actor{}, core.ErrNotFound
	}
	u, err := known.User(ctx, k.Name)
	if err != nil {
		return core.Actor{}, err
	}
	a := u.Actor(k)
	if p.user != "" {
		a.Key, a.Certificate = fmt.Sprintf("%s (%s)", p.fingerprint, p.certificate), authorizedLine(p.key)
	}
	return a, s.cfg.Trust.Vouch(k.Name, p.key)
}

// authorizedLine is a key or a certificate in the form of authorized_keys.
func authorizedLine(key gossh.PublicKey) string {
	return strings.TrimSpace(string(gossh.MarshalAuthorizedKey(key)))
}
