// Package wire is what gitd and the network of a machine say to each other: gitd sets the policy, hears what was
// refused, and is asked for connections to apps to which the machine's app is linked. Each message is a line of JSON.
//
// It owns the form of the messages and their bounds. It does not own what a policy means: see packages core and
// gateway. gitd trusts the network of a machine with no more than the names of its own refusals, and with questions
// for what its own app may reach: a guest that has taken it over can say no other thing.
package wire

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/netip"

	"github.com/nodeos-dev/gitd/internal/core"
)

// maxLine is the longest message: a policy with some thousands of rules.
const maxLine = 256 << 10

// Refused is a destination that a machine was not let reach.
type Refused struct {
	Proto string         `json:"proto"` // "tcp", "udp", or "dns" for a name that was not found
	Addr  netip.AddrPort `json:"addr"`
	App   string         `json:"app,omitempty"` // whose name it is, of a link, or of one that there is not
	Why   string         `json:"why"`           // to be read after the address: "is a private address"
	Count int            `json:"count"`         // how often since it was last said
}

// message is a line of either side. One of its fields is set.
type message struct {
	Policy  *policy  `json:"policy,omitempty"`
	Set     bool     `json:"set,omitempty"` // the answer to a policy
	Refused *Refused `json:"refused,omitempty"`
	Ask     *Ask     `json:"ask,omitempty"`
	No      *no      `json:"no,omitempty"`
}

type policy struct {
	Rules []core.EgressRule `json:"rules,omitempty"`
	Rate  int64             `json:"rate,omitempty"`
	Links []core.LinkEnd    `json:"links,omitempty"`
}

var errTooLong = errors.New("a message of the machine's network is too long")

// receive calls f with each message until r ends, or f fails.
func receive(r io.Reader, f func(message) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1024), maxLine)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return err
		}
		if err := f(m); err != nil {
			return err
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return errTooLong
	}
	return lines.Err()
}

func send(w io.Writer, m message) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
