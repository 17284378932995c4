package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/server/trust"
)

// certified finds the user of a certificate: of those for whom it is good, the one that is a user here, or, if several
// are, the one that the client asks for. core.ErrNotFound: nobody.
func (t *try) certified(ctx context.Context, conn gossh.ConnMetadata, cert *gossh.Certificate) (proved, error) {
	p := proved{
		key: cert, fingerprint: gossh.FingerprintSHA256(cert.Key), from: t.from(),
		certificate: fmt.Sprintf("certificate %q, serial %d", progress.Printable(cert.KeyId), cert.Serial),
	}
	names, err := t.s.cfg.Trust.Names(cert, time.Now())
	if err != nil {
		return p, err
	}
	if !names.AllowsFrom(p.from) {
		return p, core.ErrNotFound
	}
	if p.forced = names.Forced; cert.ValidBefore != gossh.CertTimeInfinity {
		p.until = time.Unix(int64(cert.ValidBefore), 0)
	}
	var users []string
	for _, name := range names.Principals {
		switch _, err := t.s.cfg.Services.People.User(ctx, name); {
		case err == nil:
			users = append(users, name)
		case !errors.Is(err, core.ErrNotFound):
			return p, err
		}
	}
	if len(users) == 0 {
		return p, core.ErrNotFound
	}
	p.user, err = trust.Choose(users, conn.User())
	p.name, p.account = p.user, p.user
	return p, err
}
