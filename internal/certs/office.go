package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"github.com/rs/zerolog"
	"go.uber.org/zap"
)

// ACME says from whom certificates come.
type ACME struct {
	Directory string         // URL of the ACME server's directory
	Email     string         // where the server writes to; may be empty
	Roots     *x509.CertPool // that the server's own certificate is checked with; nil: the system's
	Folder    string         // where account and certificates are kept
	PerHour   int            // how many certificates are asked for in an hour, renewals not counted
	HTTP, TLS net.Addr       // where the front door listens
	DNS       *DNS           // for a certificate of all apps together; nil: each app has its own

	look time.Duration // how often it is looked whether a certificate is old; 0: certmagic's ten minutes
}

// askLimit bounds one try to have a certificate.
const askLimit = 3 * time.Minute

// office is where certificates are asked for and renewed: certmagic, without its own way of asking at a handshake,
// which waits for minutes, holds a slot for each name that a stranger invents, and asks again at once after a failure.
type office struct {
	domain  string
	cache   *certmagic.Cache
	storage *certmagic.FileStorage
	usual   *certmagic.Config
	byDNS   *certmagic.Config // nil: there is no DNS to write to
	log     *zap.Logger
}

func openOffice(a ACME, domain string, renewed func(name string, err error), log zerolog.Logger) (*office, error) {
	o := &office{domain: domain, storage: &certmagic.FileStorage{Path: a.Folder}, log: zapOf(log)}
	o.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(c certmagic.Certificate) (*certmagic.Config, error) { return o.config(c.Names[0]), nil },
		RenewCheckInterval: a.look,
		Logger:             o.log,
	})
	o.usual = o.newConfig(a, nil, renewed)
	if a.DNS != nil {
		solver, err := a.DNS.solver(o.log)
		if err != nil {
			o.close()
			return nil, err
		}
		o.byDNS = o.newConfig(a, solver, renewed)
	}
	return o, nil
}

func (o *office) newConfig(a ACME, dns *certmagic.DNS01Solver, renewed func(name string, err error)) *certmagic.Config {
	cfg := certmagic.New(o.cache, certmagic.Config{
		Storage: o.storage,
		Logger:  o.log,
		// A responder that does not answer would hold up the start. Let's Encrypt has none any more.
		OCSP:    certmagic.OCSPConfig{DisableStapling: true},
		OnEvent: onRenewal(renewed),
	})
	issuer := certmagic.ACMEIssuer{
		CA: a.Directory, Email: a.Email, Agreed: true, TrustedRoots: a.Roots, Logger: o.log,
		// Challenges are answered by this process, from memory: a stranger's request reads no file.
		DisableDistributedSolvers: true,
		CertObtainTimeout:         askLimit,
	}
	if dns != nil {
		issuer.DNS01Solver = dns
	}
	challengePorts(&issuer, a)
	cfg.Issuers = []certmagic.Issuer{silent{certmagic.NewACMEIssuer(cfg, issuer)}}
	return cfg
}

// challengePorts tells certmagic where the front door listens: it looks whether somebody does, and would begin to
// listen itself otherwise. It knows one host for both, so if there are two the challenge with TLS is left out.
func challengePorts(issuer *certmagic.ACMEIssuer, a ACME) {
	host, port := hostPort(a.HTTP)
	tlsHost, tlsPort := hostPort(a.TLS)
	issuer.ListenHost, issuer.AltHTTPPort, issuer.AltTLSALPNPort = host, port, tlsPort
	issuer.DisableTLSALPNChallenge = host != tlsHost
}

func hostPort(a net.Addr) (string, int) {
	host, text, _ := net.SplitHostPort(a.String()) // an address of TCP has both
	port, _ := strconv.Atoi(text)
	return host, port
}

// silent never asks anybody at a terminal.
type silent struct{ *certmagic.ACMEIssuer }

// PreCheck implements certmagic.PreChecker.
func (s silent) PreCheck(ctx context.Context, names []string, _ bool) error {
	return s.ACMEIssuer.PreCheck(ctx, names, false)
}

// onRenewal calls renewed after each try to renew a certificate.
func onRenewal(renewed func(name string, err error)) func(context.Context, string, map[string]any) error {
	return func(_ context.Context, event string, data map[string]any) error {
		name, _ := data["identifier"].(string)
		if again, _ := data["renewal"].(bool); !again {
			return nil
		}
		switch event {
		case "cert_obtained":
			renewed(name, nil)
		case "cert_failed":
			err, _ := data["error"].(error)
			renewed(name, err)
		}
		return nil
	}
}

// config is how the certificate of a name is asked for. The domain itself and all below it are one's own zone.
func (o *office) config(name string) *certmagic.Config {
	if o.byDNS != nil && (name == o.domain || name == "*."+o.domain) {
		return o.byDNS
	}
	return o.usual
}

// ask gets a certificate for a name, which is kept, and renewed from then on.
func (o *office) ask(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	cfg := o.config(name)
	if err := cfg.ObtainCertSync(ctx, name); err != nil {
		return err
	}
	_, err := cfg.CacheManagedCertificate(ctx, name)
	return err
}

// load takes the certificate of a name that is kept already; false: there is none.
func (o *office) load(ctx context.Context, name string) (bool, error) {
	_, err := o.config(name).CacheManagedCertificate(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// forget does not renew the certificate of a name any more. It stays in the folder until it is old: the name may come
// back.
func (o *office) forget(name string) {
	o.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: name}})
}

// certificates are those with which name can be served.
func (o *office) certificates(name string) (list []*tls.Certificate) {
	for _, c := range o.cache.AllMatchingCertificates(name) {
		list = append(list, &c.Certificate)
	}
	return list
}

// challenge answers an ACME server that speaks TLS. For a name that it was not asked about there is nothing.
func (o *office) challenge(hello *tls.ClientHelloInfo, name string) (*tls.Certificate, error) {
	if _, ok := certmagic.GetACMEChallenge(name); !ok {
		return nil, nil // crypto/tls then says that the name is not known
	}
	return o.usual.GetCertificate(hello)
}

// answer answers an ACME server that speaks HTTP; false: the request is none of its, or of another's, for an app may
// ask for certificates too.
func (o *office) answer(w http.ResponseWriter, r *http.Request) bool {
	if !certmagic.LooksLikeHTTPChallenge(r) {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	asked, ok := certmagic.GetACMEChallenge(plain(host))
	if !ok || asked.Token != path.Base(r.URL.Path) {
		return false
	}
	return certmagic.SolveHTTPChallenge(o.log, w, r, asked.Challenge)
}

// keptOld is how long a certificate is kept that nobody can use any more.
const keptOld = 30 * 24 * time.Hour

// clean removes what is old from the folder, now and every day.
func (o *office) clean(ctx context.Context) {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		err := certmagic.CleanStorage(ctx, o.storage, certmagic.CleanStorageOptions{
			Logger: o.log, ExpiredCerts: true, ExpiredCertGracePeriod: keptOld,
		})
		if err != nil && ctx.Err() == nil {
			o.log.Warn("old certificates were not removed", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (o *office) close() { o.cache.Stop() }

const longReason = 300 // bytes

// reasonOf is what the ACME server has said, or why it has said nothing, in one line.
func reasonOf(err error) string {
	text := err.Error()
	var p acme.Problem
	var gone *net.OpError
	var dns updateError
	switch {
	case errors.As(err, &p) && p.Detail != "":
		text = p.Detail
		for _, sub := range p.Subproblems {
			text += "; " + sub.Detail
		}
	case errors.As(err, &dns):
		text = dns.Error()
	case errors.As(err, &gone):
		text = "the ACME server cannot be reached: " + gone.Error()
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longReason {
		text = strings.ToValidUTF8(text[:longReason], "") + "…"
	}
	return text
}
