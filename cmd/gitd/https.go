package main

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/certs"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/proxy"
)

// letsEncrypt is the ACME server that most people use.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// httpsOptions are the flags of TLS at the front door.
type httpsOptions struct {
	address   string // empty: there is none
	folder    string // with the operator's own certificates
	directory string // of the ACME server
	email     string
	root      string // file
	perHour   int
	http3     bool
	hsts      time.Duration
	dns       string
	dnsKey    string
	dnsWait   time.Duration
}

// httpsOnly are the flags that say nothing without --https.
var httpsOnly = []string{
	"certificate-dir", "acme-directory", "acme-email", "acme-ca-root", "acme-per-hour", "acme-dns", "acme-dns-key", "acme-dns-wait",
	"http3", "hsts",
}

func (o *httpsOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.address, "https", "", "address of the HTTPS front door, for example :443; empty: there is none")
	f.BoolVar(&o.http3, "http3", false, "serve HTTP/3 too, at the same port, by UDP")
	f.DurationVar(&o.hsts, "hsts", 0, "how long browsers are told to come by HTTPS only (Strict-Transport-Security); 0: they are not told")
	f.StringVar(&o.folder, "certificate-dir", "", "folder with certificates of your own, NAME.pem, or NAME.crt and NAME.key; read again when they change")
	f.StringVar(&o.directory, "acme-directory", letsEncrypt, "URL of the ACME server that certificates are asked of, whose terms you agree to; empty: they are not asked for")
	f.StringVar(&o.email, "acme-email", "", "where the ACME server may write to; empty: nowhere")
	f.StringVar(&o.root, "acme-ca-root", "", "file with the roots that the ACME server's own certificate is checked with; empty: the system's")
	f.IntVar(&o.perHour, "acme-per-hour", 60, "certificates that are asked for in an hour, renewals not counted")
	f.StringVar(&o.dns, "acme-dns", "", "HOST:PORT of a name server that takes updates (RFC 2136): then one certificate is for all apps; empty: each has its own")
	f.StringVar(&o.dnsKey, "acme-dns-key", "", "file with the key of these updates, as tsig-keygen writes it")
	f.DurationVar(&o.dnsWait, "acme-dns-wait", 5*time.Second, "after an update, until all name servers of the domain have it")
}

func (o *httpsOptions) checks(flags *pflag.FlagSet) []checked {
	all := []checked{{"certificate-dir", checkFolder(o.folder)}}
	if o.address != "" {
		return append(all, o.acmeChecks()...)
	}
	for _, name := range httpsOnly {
		if f := flags.Lookup(name); f.Value.String() != f.DefValue {
			all = append(all, checked{name, core.Reject("it says something of HTTPS, which is off", "add --https :443")})
		}
	}
	return all
}

func (o *httpsOptions) acmeChecks() []checked {
	all := []checked{
		{"https", checkAddress(o.address, ":443")},
		{"acme-directory", checkURL(o.directory, letsEncrypt, "https")},
		{"acme-per-hour", checkPerHour(o.perHour)},
		{"hsts", notBelowZero(int(o.hsts))},
	}
	_, err := o.roots()
	all = append(all, checked{"acme-ca-root", err})
	if o.dns != "" || o.dnsKey != "" {
		_, err := o.key()
		all = append(all, checked{"acme-dns", checkAddress(o.dns, "192.0.2.53:53")}, checked{"acme-dns-key", err})
	}
	return all
}

// checkFolder takes an empty text.
func checkFolder(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return core.Reject("that is no folder", "make it, with NAME.crt and NAME.key in it, or NAME.pem with both")
	}
	return nil
}

// openCerts makes what keeps the certificates, if there is TLS.
func (d *daemon) openCerts(o *options) (err error) {
	if o.https.address == "" {
		return nil
	}
	acme, err := o.acme(d.l)
	if err != nil {
		return err
	}
	d.certs, err = certs.New(certs.Config{
		Domain: o.domain, Folder: o.https.folder, ACME: acme, Store: d.ledger, Log: d.log,
		Names: d.servedNames(o), Changed: d.ledger.NextChange, Note: d.noteCertificate(),
	})
	return err
}

// acme says how certificates are asked for; nil: they are not.
func (o *options) acme(l *listeners) (*certs.ACME, error) {
	if o.https.directory == "" {
		return nil, nil // it is no error not to ask
	}
	a := &certs.ACME{
		Directory: o.https.directory, Email: o.https.email, PerHour: o.https.perHour,
		Folder: core.Certificates(core.StateDir(o.state)), HTTP: l.http.Addr(), TLS: l.https.Addr(),
	}
	var err error
	if a.Roots, err = o.https.roots(); err != nil || o.https.dns == "" {
		return a, err
	}
	a.DNS = &certs.DNS{Server: o.https.dns, Wait: o.https.dnsWait}
	a.DNS.Key, err = o.https.key()
	return a, err
}

// roots are those of --acme-ca-root, or nil for the system's.
func (o *httpsOptions) roots() (*x509.CertPool, error) {
	if o.root == "" {
		return nil, nil // crypto/tls takes nil for the system's
	}
	text, err := os.ReadFile(o.root)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, core.Reject("there is no certificate in it", "give the roots in PEM: -----BEGIN CERTIFICATE-----")
	}
	return pool, nil
}

// key is that of --acme-dns-key.
func (o *httpsOptions) key() (certs.Key, error) {
	if o.dnsKey == "" {
		return certs.Key{}, core.Reject("updates of the name server must be signed", "give the file that tsig-keygen has written: --acme-dns-key FILE")
	}
	k, err := certs.ReadKey(o.dnsKey)
	if err != nil {
		err = core.Reject(err.Error(), "make it with tsig-keygen gitd > FILE, and give the name server the same")
	}
	return k, err
}

// servedNames reads the names that the front door serves: those of the apps, their domains, and the domain itself. An
// app to which nothing was deployed has nothing to show: its certificate comes when somebody asks for it.
func (d *daemon) servedNames(o *options) func(context.Context) ([]certs.Name, error) {
	return func(ctx context.Context) ([]certs.Name, error) {
		apps, err := d.ledger.Apps(ctx)
		if err != nil {
			return nil, err
		}
		domains, err := d.ledger.Domains(ctx, "")
		if err != nil {
			return nil, err
		}
		list := []certs.Name{{Host: o.domain}}
		for _, a := range apps {
			list = append(list, certs.Name{Host: o.host(a.Name), App: a.Name, Eager: a.Live != 0})
		}
		for _, d := range domains {
			list = append(list, certs.Name{Host: d.Host, App: d.App, Eager: true})
		}
		return list, nil
	}
}

// noteCertificate writes to the audit. What is of all apps has no app.
func (d *daemon) noteCertificate() func(app, actor, action, detail string) {
	trail := audit.New(d.ledger, slog.New(zerolog.NewSlogHandler(d.log)))
	return func(app, actor, action, detail string) {
		trail.Note(context.Background(), app, actor, action, progress.OneLine(detail))
	}
}

// secure is what the front door does with TLS.
func (o *options) secure(d *daemon) proxy.Secure {
	if d.certs == nil {
		return proxy.Secure{}
	}
	s := proxy.Secure{Port: portOf(d.l.https), Has: d.certs.Has, First: d.certs.Challenges, HSTS: o.https.hsts}
	if d.l.quic != nil {
		s.QUIC = s.Port
	}
	return s
}

// certificates is what the commands may do with them; nil: there are none.
func (d *daemon) certificates() command.Certificates {
	if d.certs == nil {
		return nil
	}
	return d.certs
}

// serveSecure serves HTTPS until front ends, and keeps its certificates until ctx does.
func (d *daemon) serveSecure(ctx, front context.Context) error {
	if d.certs == nil {
		return nil
	}
	if err := d.certs.Begin(ctx); err != nil {
		return err
	}
	os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") //nolint:errcheck // it cannot fail; the log is JSON, and that line is none
	return all(ctx,
		func(ctx context.Context) error { return d.certs.Run(d.next.while(ctx)) },
		func(context.Context) error { return d.front.ServeTLS(front, d.l.https, d.certs.TLS()) },
		func(context.Context) error {
			if d.l.quic == nil {
				return nil
			}
			// Two gitds cannot share a socket of packets: this one's connections end when another one takes over.
			return d.front.ServeQUIC(d.next.while(front), d.l.quic, d.certs.TLS())
		},
	)
}

// url returns where people find an app, given the listeners of the front door.
func (o *options) url(l *listeners) func(app string) string {
	scheme, port, usual := "http://", portOf(l.http), "80"
	if l.https != nil {
		scheme, port, usual = "https://", portOf(l.https), "443"
	}
	if port == usual {
		port = ""
	} else {
		port = ":" + port
	}
	return func(app string) string { return scheme + o.host(app) + port + "/" }
}

func portOf(l net.Listener) string {
	_, port, _ := net.SplitHostPort(l.Addr().String()) // an address of TCP has both
	return port
}

// addrOf is the address of a listener, or nothing if it is nil.
func addrOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

func checkPerHour(n int) error {
	if n <= 0 {
		return core.Reject("then no certificate would ever come", `give 1 or more; --acme-directory "" asks for none`)
	}
	return nil
}
