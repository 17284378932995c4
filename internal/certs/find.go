package certs

import (
	"crypto/tls"
	"slices"
	"strings"
	"time"

	"github.com/mholt/acmez/v3"

	"github.com/nodeos-dev/gitd/internal/core"
)

// challengeProtocol is what an ACME server speaks that wants to see that a name leads here (RFC 8737).
const challengeProtocol = acmez.ACMETLS1Protocol

// set is a certificate that somebody has set.
type set struct {
	core.OwnCertificate
	opened *tls.Certificate
}

// certificate answers a handshake. Without a certificate the client is told that its name is not known here: crypto/tls
// does so for nil. A client that names nobody gets what the domain itself has.
func (k *Keeper) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := plain(hello.ServerName)
	if k.office != nil && slices.Equal(hello.SupportedProtos, []string{challengeProtocol}) {
		return k.office.challenge(hello, name)
	}
	if name == "" {
		name = k.cfg.Domain
	}
	if c, _ := k.find(name); c != nil && good(c, time.Now()) {
		return c, nil
	}
	k.demand(hello.Context(), name)
	c, _ := k.find(name)
	return c, nil
}

// Has reports whether there is a certificate with which host can be served now.
func (k *Keeper) Has(host string) bool {
	c, _ := k.find(plain(host))
	return c != nil && good(c, time.Now())
}

// find is the certificate for a name: one that was set for it, then the operator's, then one of the ACME server. If
// there is none that is good, it is one that is not, so that the client sees why; nil: there is none at all.
func (k *Keeper) find(name string) (best *tls.Certificate, from core.CertificateSource) {
	now := time.Now()
	best, from = k.own(name, now)
	if best != nil && good(best, now) || k.office == nil {
		return best, from
	}
	if asked := longest(k.office.certificates(name), now); asked != nil {
		return asked, core.CertificateACME
	}
	return best, from
}

// own is the certificate for a name that people have brought.
func (k *Keeper) own(name string, now time.Time) (best *tls.Certificate, from core.CertificateSource) {
	k.mu.RLock()
	if s := k.set[name]; s != nil && k.apps[name] == s.App {
		best, from = s.opened, core.CertificateSet
	}
	k.mu.RUnlock()
	if best != nil && good(best, now) || k.folder == nil {
		return best, from
	}
	if c := k.folder.pairs.Load().find(name, now); c != nil {
		return c, core.CertificateFolder
	}
	return best, from
}

// State is how far the certificate of a host is.
func (k *Keeper) State(host string) core.Certificate {
	host = plain(host)
	var s core.Certificate
	c, from := k.find(host)
	if c != nil {
		s.From, s.Until = from, c.Leaf.NotAfter
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if j := k.jobs[k.askedFor(host)]; j != nil && (c == nil || from == core.CertificateACME) {
		s.From, s.Reason, s.Next = core.CertificateACME, j.reason, j.next
	}
	return s
}

// plain is a name as certificates have it.
func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// wildcardOf is the name of all hosts beside host.
func wildcardOf(host string) string {
	_, parent, _ := strings.Cut(host, ".")
	return "*." + parent
}
