package gateway

import (
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// links are the other apps that the guest may reach. The zero links are none.
type links struct {
	mu     sync.RWMutex
	byAddr map[netip.Addr]*core.LinkEnd
	byName map[string]*core.LinkEnd
}

func (l *links) set(ends []core.LinkEnd) {
	byAddr, byName := map[netip.Addr]*core.LinkEnd{}, map[string]*core.LinkEnd{}
	for _, end := range ends {
		if len(end.Names) == 0 {
			continue
		}
		byAddr[end.Addr()] = &end
		for _, name := range end.Names {
			byName[name] = &end
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.byAddr, l.byName = byAddr, byName
}

// at is the link behind an address; nil: there is none.
func (l *links) at(a netip.Addr) *core.LinkEnd {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.byAddr[a]
}

func (l *links) named(name string) *core.LinkEnd {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.byName[name]
}

// nameTime is how long an answer may be kept, in seconds: links change at once.
const nameTime = 5

// dnsServer is where the guest asks for names.
var dnsServer = netip.AddrPortFrom(wire.DNS, dnsPort)

// answerName answers a question for the name of an app; nil: it is a question for somebody else. Names of more labels
// than APP.internal are: clouds have such names for their own machines.
func (g *gateway) answerName(question []byte) []byte {
	var p dnsmessage.Parser
	head, err := p.Start(question)
	if err != nil || head.Response || head.OpCode != 0 {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	name, ours := strings.CutSuffix(strings.ToLower(q.Name.String()), "."+core.LinkDomain+".")
	if !ours || strings.Contains(name, ".") {
		return nil
	}
	link := g.links.named(name)
	if link == nil && core.CheckName(name) == nil {
		g.refusals.Add(wire.Refused{Proto: "dns", App: name, Why: "is not linked"})
	}
	answer, err := linkAnswer(head, q, link)
	if err != nil {
		return nil
	}
	return answer
}

// linkAnswer says where a link is, or that there is none. It has an address of IPv4 alone.
func linkAnswer(head dnsmessage.Header, q dnsmessage.Question, link *core.LinkEnd) ([]byte, error) {
	head = dnsmessage.Header{
		ID: head.ID, Response: true, Authoritative: true, RecursionDesired: head.RecursionDesired, RecursionAvailable: true,
	}
	if link == nil {
		head.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(nil, head)
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(q); err != nil {
		return nil, err
	}
	if link != nil && q.Class == dnsmessage.ClassINET && (q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeALL) {
		if err := b.StartAnswers(); err != nil {
			return nil, err
		}
		h := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: nameTime}
		if err := b.AResource(h, dnsmessage.AResource{A: link.Addr().As4()}); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}
