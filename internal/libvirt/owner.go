package libvirt

import (
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// owner marks the domains of one gitd: it is the path of its state folder. Other domains are as if they were not there.
type owner string

// list returns the machines that run.
func (o owner) list(conn *libvirt.Connect, log zerolog.Logger) ([]core.Machine, error) {
	domains, err := conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return nil, fmt.Errorf("list domains: %w", err)
	}
	var ours []core.Machine
	for _, dom := range domains {
		m, err := o.mark(&dom)
		if err == nil {
			ours = append(ours, m)
		} else if !errors.Is(err, core.ErrNotFound) {
			log.Warn().Err(err).Msg("domain cannot be read")
		}
		free(&dom)
	}
	return ours, nil
}

// find returns a running domain, or core.ErrNotFound. The caller frees it.
func (o owner) find(l *session.Link, id string) (*libvirt.Domain, core.Machine, error) {
	dom, err := l.Conn.LookupDomainByName(id)
	if session.IsCode(err, libvirt.ERR_NO_DOMAIN) {
		return nil, core.Machine{}, fmt.Errorf("machine %s: %w", id, core.ErrNotFound)
	}
	if err != nil {
		return nil, core.Machine{}, fmt.Errorf("machine %s: %w", id, err)
	}
	m, err := o.mark(dom)
	if err != nil {
		free(dom)
		return nil, m, fmt.Errorf("machine %s: %w", id, err)
	}
	return dom, m, nil
}

// remove ends a machine at once. It is no error if it is gone.
func (o owner) remove(l *session.Link, id string) error {
	dom, _, err := o.find(l, id)
	if err != nil {
		return core.IgnoreMissing(err)
	}
	defer free(dom)
	return destroy(dom)
}

// mark reads gitd's element from a domain. core.ErrNotFound says that the domain is not this gitd's.
func (o owner) mark(dom *libvirt.Domain) (core.Machine, error) {
	id, err := dom.GetName()
	if err != nil {
		return core.Machine{}, err
	}
	text, err := dom.GetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, namespace, libvirt.DOMAIN_AFFECT_CURRENT)
	switch {
	case session.IsCode(err, libvirt.ERR_NO_DOMAIN_METADATA), session.IsCode(err, libvirt.ERR_NO_DOMAIN):
		return core.Machine{}, core.ErrNotFound
	case err != nil:
		return core.Machine{}, fmt.Errorf("domain %q: %w", id, err)
	}
	return parseMark(id, string(o), text)
}

// hand marks a machine that runs as one of this app.
func (o owner) hand(dom *libvirt.Domain, m core.Machine) error {
	text, err := xml.Marshal(mark{Owner: string(o), App: m.App, Release: m.Release, Door: m.Addr, Started: m.Started.UTC()})
	if err != nil {
		return err
	}
	return dom.SetMetadata(libvirt.DOMAIN_METADATA_ELEMENT, string(text), "gitd", namespace, libvirt.DOMAIN_AFFECT_LIVE)
}

// mark is gitd's element in the metadata of a domain.
type mark struct {
	XMLName xml.Name  `xml:"machine"`
	Owner   string    `xml:"owner,attr"`
	App     string    `xml:"app,attr"`
	Release int       `xml:"release,attr"`
	Door    string    `xml:"door,attr"`
	Started time.Time `xml:"started,attr"`
}

func parseMark(id, owner, text string) (core.Machine, error) {
	var mark mark
	if err := xml.Unmarshal([]byte(text), &mark); err != nil {
		return core.Machine{}, fmt.Errorf("domain %q: its gitd metadata: %w", id, err)
	}
	if mark.Owner != owner {
		return core.Machine{}, core.ErrNotFound
	}
	return core.Machine{
		ID: id, App: mark.App, Release: mark.Release,
		Addr: mark.Door, Started: mark.Started,
	}, nil
}

// destroy ends a domain at once. It is no error if the domain is gone.
func destroy(dom *libvirt.Domain) error {
	err := dom.Destroy()
	if session.IsCode(err, libvirt.ERR_NO_DOMAIN) || session.IsCode(err, libvirt.ERR_OPERATION_INVALID) {
		return nil
	}
	return err
}

// free drops a reference, which can fail for an invalid one only.
func free(dom *libvirt.Domain) { dom.Free() } //nolint:errcheck // only an invalid one fails
