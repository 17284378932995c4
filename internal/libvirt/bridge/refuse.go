package bridge

import (
	"fmt"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Without is what to do for what this network has not.
const Without = "serve without --network: the network of each machine's own has it"

// Refuse says what of e this network has not. A machine is not booted with less than what was asked for.
func Refuse(e core.Egress) error {
	switch {
	case len(e.Links) > 0:
		return core.Reject("machines on a network of libvirt have no links to other apps",
			"links:remove takes a link away; or "+Without)
	case e.Rate > 0:
		return core.Reject(fmt.Sprintf("machines on a network of libvirt have no limit of rate, and one of %d bytes a second is set", e.Rate),
			"network:rate APP none, and `gitd serve --egress-rate none`; or "+Without)
	}
	for _, r := range e.Rules {
		switch {
		case !r.Range.Addr().Is4():
			return core.Reject("machines on a network of libvirt have no IPv6, and "+r.String()+" is allowed", "network:deny takes the rule away; or "+Without)
		case r.Range.Addr().IsLoopback():
			return core.Reject("the host's loopback is not on a network of libvirt, and "+r.String()+" is allowed",
				"have the service listen on an address of the host, and allow that one; or "+Without)
		}
	}
	return nil
}
