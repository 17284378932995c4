package certs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/libdns/libdns"
	"github.com/miekg/dns"
	"go.uber.org/zap"
)

// DNS is a name server that takes updates (RFC 2136), by which an ACME server is shown that the domain is ours.
type DNS struct {
	Server string        // HOST:PORT
	Key    Key           // that updates are signed with
	Wait   time.Duration // after an update, until the zone's other servers have it
}

// Key is a key of TSIG (RFC 8945).
type Key struct {
	Name      string
	Algorithm string
	Secret    string // base64
}

var (
	keyHead      = regexp.MustCompile(`^\s*key\s+"?([A-Za-z0-9._-]+)"?\s*\{([^}]*)\}\s*;?\s*$`)
	keyAlgorithm = regexp.MustCompile(`\balgorithm\s+"?([A-Za-z0-9-]+)"?\s*;`)
	keySecret    = regexp.MustCompile(`\bsecret\s+"?([A-Za-z0-9+/=]+)"?\s*;`)
)

// ReadKey reads a key as BIND's tsig-keygen writes it: key "gitd" { algorithm hmac-sha256; secret "…"; };
func ReadKey(path string) (Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return Key{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 16<<10))
	if err != nil {
		return Key{}, err
	}
	return parseKey(string(text))
}

// parseKey never says what it has read.
func parseKey(text string) (Key, error) {
	head := keyHead.FindStringSubmatch(text)
	if head == nil {
		return Key{}, errors.New(`it has no key of the form key "NAME" { algorithm hmac-sha256; secret "…"; };`)
	}
	algorithm, secret := keyAlgorithm.FindStringSubmatch(head[2]), keySecret.FindStringSubmatch(head[2])
	if algorithm == nil || secret == nil {
		return Key{}, errors.New("its key has no algorithm or no secret")
	}
	k := Key{Name: dns.Fqdn(head[1]), Algorithm: dns.Fqdn(strings.ToLower(algorithm[1])), Secret: secret[1]}
	switch k.Algorithm {
	case dns.HmacSHA224, dns.HmacSHA256, dns.HmacSHA384, dns.HmacSHA512:
		return k, nil
	}
	return Key{}, fmt.Errorf("its key is of %s, and only hmac-sha224, -sha256, -sha384 and -sha512 are taken", algorithm[1])
}

// solver is certmagic's for the DNS. It asks the server itself where the zone begins.
func (d *DNS) solver(log *zap.Logger) (*certmagic.DNS01Solver, error) {
	if _, _, err := net.SplitHostPort(d.Server); err != nil {
		return nil, err
	}
	return &certmagic.DNS01Solver{DNSManager: certmagic.DNSManager{
		DNSProvider: updater{d}, Resolvers: []string{d.Server}, PropagationDelay: d.Wait, PropagationTimeout: -1, Logger: log,
	}}, nil
}

// updater writes to the name server. Rejected: github.com/libdns/rfc2136, which the module proxy does not have, and
// which reads the whole zone first.
type updater struct{ *DNS }

// AppendRecords implements libdns.RecordAppender.
func (u updater) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return records, u.update(ctx, zone, records, (*dns.Msg).Insert)
}

// DeleteRecords implements libdns.RecordDeleter.
func (u updater) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return records, u.update(ctx, zone, records, (*dns.Msg).Remove)
}

func (u updater) update(ctx context.Context, zone string, records []libdns.Record, how func(*dns.Msg, []dns.RR)) error {
	m := new(dns.Msg)
	m.SetUpdate(dns.Fqdn(zone))
	for _, r := range records {
		rr := r.RR()
		if rr.Type != "TXT" {
			return fmt.Errorf("a record of type %s is not written", rr.Type)
		}
		how(m, []dns.RR{&dns.TXT{
			Hdr: dns.RR_Header{
				Name: libdns.AbsoluteName(rr.Name, dns.Fqdn(zone)), Rrtype: dns.TypeTXT, Class: dns.ClassINET,
				Ttl: uint32(rr.TTL / time.Second),
			},
			Txt: []string{rr.Data},
		}})
	}
	c := &dns.Client{Net: "tcp", Timeout: 10 * time.Second, TsigSecret: map[string]string{u.Key.Name: u.Key.Secret}}
	m.SetTsig(u.Key.Name, u.Key.Algorithm, 300, time.Now().Unix())
	answer, _, err := c.ExchangeContext(ctx, m, u.Server)
	if err != nil {
		return updateError{fmt.Errorf("the name server %s: %w", u.Server, err)}
	}
	if answer.Rcode != dns.RcodeSuccess {
		return updateError{fmt.Errorf("the name server %s refuses the update: %s", u.Server, dns.RcodeToString[answer.Rcode])}
	}
	return nil
}

// updateError is why the name server was not written to.
type updateError struct{ error }
