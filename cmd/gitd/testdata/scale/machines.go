// This file is added to the gitd of the scale test (go build -overlay): a thousand machines of libvirt's own test
// driver beside those of QEMU. They exist, and are listed, found and destroyed as any domain is. The test driver has no
// guest behind the control channel, so these machines listen from the start. Machines that gitd boots are booted by
// QEMU.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
)

type scaled struct {
	fleet.Driver
	conn *libvirt.Connect
}

// scaledDriver adds the domains from the file that GITD_TEST_MACHINES names.
func scaledDriver(d fleet.Driver) fleet.Driver {
	file := os.Getenv("GITD_TEST_MACHINES")
	if file == "" {
		return d
	}
	conn, err := libvirt.NewConnect("test://" + file)
	if err != nil {
		panic(err)
	}
	return &scaled{Driver: d, conn: conn}
}

// machine reads what the test has written: the app and the release are in the name of the domain, the address is its
// description.
func machine(dom *libvirt.Domain) (core.Machine, error) {
	id, err := dom.GetName()
	if err != nil {
		return core.Machine{}, err
	}
	m := core.Machine{ID: id, Started: time.Now()}
	if _, err := fmt.Sscanf(strings.ReplaceAll(id, "-v", " "), "%s %d", &m.App, &m.Release); err != nil {
		return m, err
	}
	m.Addr, err = dom.GetMetadata(libvirt.DOMAIN_METADATA_DESCRIPTION, "", 0)
	return m, err
}

func (s *scaled) List(ctx context.Context) ([]core.Machine, error) {
	list, err := s.Driver.List(ctx)
	if err != nil {
		return nil, err
	}
	domains, err := s.conn.ListAllDomains(libvirt.CONNECT_LIST_DOMAINS_ACTIVE)
	if err != nil {
		return nil, err
	}
	for _, dom := range domains {
		m, err := machine(&dom)
		if err != nil {
			return nil, err
		}
		list = append(list, m)
		dom.Free() // only an invalid one fails
	}
	return list, nil
}

func (s *scaled) Adopt(ctx context.Context, id string, w core.Watch) (core.Machine, error) {
	dom, err := s.conn.LookupDomainByName(id)
	if err != nil {
		return s.Driver.Adopt(ctx, id, w)
	}
	defer dom.Free()
	m, err := machine(dom)
	if err == nil {
		w(core.Event{Kind: core.EventListening, Time: time.Now()})
	}
	return m, err
}

func (s *scaled) Stop(ctx context.Context, id string, grace time.Duration) error {
	dom, err := s.conn.LookupDomainByName(id)
	if err != nil {
		return s.Driver.Stop(ctx, id, grace)
	}
	defer dom.Free()
	return dom.Destroy()
}
