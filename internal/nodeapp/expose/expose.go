// Package expose reads what an app offers by TCP: "nodeos": {"expose": …} of package.json. Pure.
package expose

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
)

// most is how many ports one app may have.
const most = 16

const hint = `an example of the whole: {"tcp": [5432], "internal": [6379], "http": false}. tcp has ports of the server too, ` +
	`internal only linked apps reach, and "http": false is for an app that does not speak HTTP`

// Read reads raw, which may be empty. Keys that are not known are warnings.
func Read(raw json.RawMessage) (e core.Expose, warnings []string, err error) {
	if len(raw) == 0 {
		return e, nil, nil
	}
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) != nil || o == nil {
		return e, nil, bad("nodeos.expose", raw, hint)
	}
	if e.TCP, err = ports("tcp", o["tcp"]); err != nil {
		return e, nil, err
	}
	if e.Internal, err = ports("internal", o["internal"]); err != nil {
		return e, nil, err
	}
	if raw, ok := o["http"]; ok {
		var speaks bool
		if json.Unmarshal(raw, &speaks) != nil {
			return e, nil, bad("nodeos.expose.http", raw, "use true or false")
		}
		e.NoHTTP = !speaks
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if key == "udp" {
			return e, nil, core.Reject("package.json: nodeos.expose.udp: there is no UDP for apps, only TCP", hint)
		}
		if !slices.Contains([]string{"tcp", "internal", "http"}, key) {
			warnings = append(warnings, fmt.Sprintf("package.json: nodeos.expose.%.40q is unknown and ignored", key))
		}
	}
	return e, warnings, check(e)
}

func check(e core.Expose) error {
	all := slices.Sorted(slices.Values(e.Ports()))
	switch {
	case len(all) > most:
		return core.Reject(fmt.Sprintf("package.json: nodeos.expose has %d ports, and an app may have %d", len(all), most), hint)
	case e.NoHTTP && len(all) == 0:
		return core.Reject(`package.json: nodeos.expose has "http": false and no port, so that nobody could reach the app`, hint+
			"; an app that nobody is to reach has a worker in its Procfile, and no web")
	}
	for i := 1; i < len(all); i++ {
		if all[i] == all[i-1] {
			return core.Reject(fmt.Sprintf("package.json: nodeos.expose has port %d twice", all[i]), "a port of tcp is one of internal too")
		}
	}
	return nil
}

// ports reads a list of ports that an ordinary user may listen on, which the app is.
func ports(key string, raw json.RawMessage) (all []int, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	ask := fmt.Sprintf("use a list of the ports at which the app listens, from %d to 65535: [5432]", offer.LowestPort)
	if json.Unmarshal(raw, &all) != nil {
		return nil, bad("nodeos.expose."+key, raw, ask)
	}
	for _, p := range all {
		if p < offer.LowestPort || p > 65535 {
			return nil, bad("nodeos.expose."+key, raw, ask)
		}
	}
	return all, nil
}

func bad(name string, raw json.RawMessage, hint string) error {
	return core.Reject(fmt.Sprintf("package.json: %s is %.80s", name, strings.Join(strings.Fields(string(raw)), " ")), hint)
}

// Web is where gitd finds that the app listens, and what it is told as PORT: port, which package.json has set (0: it
// has not), or, without HTTP, the first port of e.
func Web(e core.Expose, port int) (int, error) {
	if !e.NoHTTP {
		return port, nil
	}
	all := e.Ports()
	if port != 0 && !slices.Contains(all, port) {
		return 0, core.Reject(fmt.Sprintf(`package.json: nodeos.port is %d, which nodeos.expose does not have, and with "http": false nobody would reach it`, port),
			"leave nodeos.port out: the first port of nodeos.expose counts")
	}
	if port != 0 {
		return port, nil
	}
	return all[0], nil
}

// Text says for people what is exposed.
func Text(e core.Expose) string {
	var parts []string
	for _, l := range []struct {
		ports []int
		of    string
	}{{e.TCP, "at this server"}, {e.Internal, "to linked apps"}} {
		if len(l.ports) > 0 {
			parts = append(parts, strings.Trim(fmt.Sprint(l.ports), "[]")+" "+l.of)
		}
	}
	if e.NoHTTP {
		parts = append(parts, "no HTTP")
	}
	return strings.Join(parts, ", ")
}
