package certs

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/nodeos-dev/gitd/internal/certs/pebbletest"
	"github.com/nodeos-dev/gitd/internal/porttest"
)

// zone is a name server for example.test, for whom every name is 127.0.0.1. It takes updates that are signed.
type zone struct {
	mu      sync.Mutex
	texts   map[string][]string
	refused int
	updates int
}

const secret = "c2VjcmV0IG9mIHRoZSB0ZXN0LCAzMiBieXRlcyBsb24="

// ServeDNS implements dns.Handler.
func (z *zone) ServeDNS(w dns.ResponseWriter, m *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	answer := new(dns.Msg)
	answer.SetReply(m)
	answer.Authoritative = true
	name := strings.ToLower(m.Question[0].Name)
	switch {
	case m.Opcode == dns.OpcodeUpdate:
		z.update(w, m, answer)
	case m.Question[0].Qtype == dns.TypeA:
		answer.Answer = append(answer.Answer, &dns.A{Hdr: head(name, dns.TypeA), A: net.IPv4(127, 0, 0, 1)})
	case m.Question[0].Qtype == dns.TypeSOA && name == "example.test.":
		answer.Answer = append(answer.Answer, &dns.SOA{Hdr: head(name, dns.TypeSOA), Ns: "ns.example.test.", Mbox: "root.example.test."})
	case m.Question[0].Qtype == dns.TypeTXT:
		for _, text := range z.texts[name] {
			answer.Answer = append(answer.Answer, &dns.TXT{Hdr: head(name, dns.TypeTXT), Txt: []string{text}})
		}
	}
	w.WriteMsg(answer) //nolint:errcheck // the client may be gone
}

func head(name string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: kind, Class: dns.ClassINET, Ttl: 1}
}

func (z *zone) update(w dns.ResponseWriter, m, answer *dns.Msg) {
	if m.IsTsig() == nil || w.TsigStatus() != nil || m.Question[0].Name != "example.test." {
		z.refused++
		answer.Rcode = dns.RcodeNotAuth
		return
	}
	z.updates++
	answer.SetTsig(m.IsTsig().Hdr.Name, m.IsTsig().Algorithm, 300, int64(m.IsTsig().TimeSigned))
	for _, rr := range m.Ns {
		txt, ok := rr.(*dns.TXT)
		switch name := strings.ToLower(rr.Header().Name); {
		case ok && txt.Hdr.Class == dns.ClassINET:
			z.texts[name] = append(z.texts[name], txt.Txt...)
		case ok && txt.Hdr.Class == dns.ClassNONE:
			delete(z.texts, name)
		}
	}
}

// listen serves the zone by TCP and UDP.
func (z *zone) listen(t *testing.T) (address string) {
	t.Helper()
	l, p := porttest.Both(t)
	keys := map[string]string{"gitd.": secret}
	for _, s := range []*dns.Server{{Listener: l, Handler: z, TsigSecret: keys, MsgAcceptFunc: takes}, {PacketConn: p, Handler: z, TsigSecret: keys, MsgAcceptFunc: takes}} {
		go s.ActivateAndServe()            //nolint:errcheck // it ends with the test
		t.Cleanup(func() { s.Shutdown() }) //nolint:errcheck // it ends with the test
	}
	return l.Addr().String()
}

// takes lets updates in, which the server refuses otherwise.
func takes(h dns.Header) dns.MsgAcceptAction {
	if int(h.Bits>>11)&0xF == dns.OpcodeUpdate {
		return dns.MsgAccept
	}
	return dns.DefaultMsgAcceptFunc(h)
}

// TestWildcard: with a name server that takes updates, one certificate is for all apps, and a new app costs none. A
// customer's host, of which the zone is not ours, has its own. What was written to the zone is taken away again.
func TestWildcard(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Pebble")
	}
	z := &zone{texts: map[string][]string{}}
	server := z.listen(t)
	c := newTown(t, Name{"one.example.test", "one", true}, Name{"example.test", "", false}, Name{"www.shop.example", "one", true})
	p := c.pebble(t, pebbletest.Config{DNS: server})
	roots := p.Root(t)
	key, err := parseKey(`key "gitd" { algorithm hmac-sha256; secret "` + secret + `"; };`)
	if err != nil {
		t.Fatal(err)
	}
	c.open(t, p, func(a *ACME) { a.DNS = &DNS{Server: server, Key: key} })
	got := map[string]bool{}
	for range 2 {
		got[<-c.notes] = true
	}
	if !got[" certificate.new *.example.test"] || !got["one certificate.new www.shop.example"] {
		t.Fatalf("noted %v", got)
	}
	c.serve(Name{"one.example.test", "one", true}, Name{"two.example.test", "two", true}, Name{"example.test", "", false})
	for _, host := range []string{"one.example.test", "two.example.test", "invented.example.test"} {
		leaf, err := c.shake(host, roots)
		if err != nil || leaf.DNSNames[0] != "*.example.test" {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := p.Orders(); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
	if _, err := c.shake("example.test", roots); err != nil {
		t.Errorf("the domain itself: %v", err)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if len(z.texts) > 0 || z.updates == 0 {
		t.Errorf("%d updates, and %v is left in the zone", z.updates, z.texts)
	}
}

// TestRefusedUpdate: a wrong key is said to the administrator of the server.
func TestRefusedUpdate(t *testing.T) {
	z := &zone{texts: map[string][]string{}}
	key := Key{Name: "gitd.", Algorithm: dns.HmacSHA256, Secret: "d3Jvbmc="}
	u := updater{&DNS{Server: z.listen(t), Key: key}}
	err := u.update(t.Context(), "example.test", nil, (*dns.Msg).Insert)
	if err == nil || !strings.Contains(err.Error(), "the name server") || strings.Contains(err.Error(), key.Secret) {
		t.Errorf("got %v", err)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.refused != 1 {
		t.Errorf("%d updates were refused", z.refused)
	}
}

func TestParseKey(t *testing.T) {
	for text, want := range map[string]string{
		"key \"gitd\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0\";\n};\n": "",
		"key gitd.example. { secret c2VjcmV0; algorithm hmac-sha512; };":         "",
		"key gitd { algorithm hmac-md5; secret \"c2VjcmV0\"; };":                 "only hmac-sha224",
		"key gitd { secret \"c2VjcmV0\"; };":                                     "no algorithm",
		"c2VjcmV0":                                                               "has no key",
	} {
		_, err := parseKey(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "c2VjcmV0")) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(`key "gitd" { algorithm hmac-sha256; secret "c2VjcmV0"; };`), 0o600); err != nil {
		t.Fatal(err)
	}
	if k, err := ReadKey(path); err != nil || k != (Key{"gitd.", "hmac-sha256.", "c2VjcmV0"}) {
		t.Errorf("%+v, %v", k, err)
	}
}
