package rules

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/units"
)

// Limits are of the requests of one app. Zero: no limit.
type Limits struct {
	Requests     Rate  `json:"requests,omitzero"`      // of all clients
	RequestsFrom Rate  `json:"requests_from,omitzero"` // of one address
	Body         int64 `json:"body,omitempty"`         // bytes of a request
	Connections  int   `json:"connections,omitempty"`  // requests at once, upgraded connections included
}

// Rate is so many requests in a time.
type Rate struct {
	N   int           `json:"n"`
	Per time.Duration `json:"per"` // a second, a minute or an hour
}

// none takes a limit away.
const none = "none"

const rateHint = "write how many in a second, a minute or an hour: 100/s, 600/m, 1000/h, or none for no limit"

// ParseRate reads 100/s, 600/m or 1000/h; none is the zero Rate.
func ParseRate(s string) (Rate, error) {
	if s == none {
		return Rate{}, nil
	}
	count, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	per, ok := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || !ok || n < 1 || n > 1e6 {
		return Rate{}, core.Reject(fmt.Sprintf("%.20q is no rate", s), rateHint)
	}
	return Rate{n, per}, nil
}

// String is the rate as ParseRate reads it.
func (r Rate) String() string {
	switch r.Per {
	case time.Second:
		return strconv.Itoa(r.N) + "/s"
	case time.Minute:
		return strconv.Itoa(r.N) + "/m"
	case time.Hour:
		return strconv.Itoa(r.N) + "/h"
	}
	return none
}

// The names of limits, as flags and in lists.
const (
	LimitRequests     = "requests"
	LimitRequestsFrom = "requests-from"
	LimitBody         = "body"
	LimitConnections  = "connections"
)

// LimitNames are in the order in which people read them.
var LimitNames = []string{LimitRequests, LimitRequestsFrom, LimitBody, LimitConnections}

// Other reasons for which requests are refused, as people read them.
const (
	RefusedAddress     = "allow"
	RefusedMaintenance = "maintenance"
	RefusedLogin       = "auth"          // no password, or a wrong one
	RefusedGuesses     = "auth-attempts" // too many wrong ones
)

// OtherRefusals are in the order in which people read them.
var OtherRefusals = []string{RefusedAddress, RefusedMaintenance, RefusedLogin, RefusedGuesses}

// Change sets the limit with this name to what text says.
func (l *Limits) Change(name, text string) (err error) {
	switch name {
	case LimitRequests:
		l.Requests, err = ParseRate(text)
	case LimitRequestsFrom:
		l.RequestsFrom, err = ParseRate(text)
	case LimitBody:
		l.Body, err = parseBody(text)
	case LimitConnections:
		l.Connections, err = parseConnections(text)
	}
	return err
}

// Text is the limit with this name for people, as Change reads it.
func (l Limits) Text(name string) string {
	switch {
	case name == LimitRequests:
		return l.Requests.String()
	case name == LimitRequestsFrom:
		return l.RequestsFrom.String()
	case name == LimitBody && l.Body > 0:
		return units.Bytes(l.Body)
	case name == LimitConnections && l.Connections > 0:
		return strconv.Itoa(l.Connections)
	}
	return none
}

func parseBody(text string) (int64, error) {
	if text == none {
		return 0, nil
	}
	n, err := units.ParseBytes(text)
	if err != nil || n < 1 {
		return 0, core.Reject(fmt.Sprintf("%.20q is no size of a request", text), "write it as 10M, or none for no limit")
	}
	return n, nil
}

func parseConnections(text string) (int, error) {
	if text == none {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1e6 {
		return 0, core.Reject(fmt.Sprintf("%.20q is no number of requests", text), "write how many may run at once: 200, or none for no limit")
	}
	return n, nil
}
