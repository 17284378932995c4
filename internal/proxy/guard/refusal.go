package guard

import (
	"net/http"
	"time"

	"github.com/nodeos-dev/gitd/internal/core/rules"
)

// reason is why requests are refused.
type reason int

const (
	forAddress reason = iota
	forMaintenance
	forRate
	forRateFrom
	forConnections
	forLogin
	forGuesses
	forBody
	reasons
)

// names are the reasons as people read them.
var names = [reasons]string{
	rules.RefusedAddress, rules.RefusedMaintenance, rules.LimitRequests, rules.LimitRequestsFrom, rules.LimitConnections,
	rules.RefusedLogin, rules.RefusedGuesses, rules.LimitBody,
}

// Refusal is what a client is told that does not get in.
type Refusal struct {
	Status      int
	Title, Text string
	Retry       time.Duration // when it may try again; 0: nothing is said
	Login       bool          // a name and a password would do
	Page        string        // HTML in place of title and text; empty: none
	reason      reason
}

var (
	refuseAddress = &Refusal{
		Status: http.StatusForbidden, reason: forAddress,
		Title: "Not from here", Text: "This app is not open for your address.",
	}
	refuseConnections = &Refusal{
		Status: http.StatusServiceUnavailable, reason: forConnections, Retry: time.Second,
		Title: "Try again", Text: "Too many requests to this app run at once.",
	}
	refuseLogin = &Refusal{
		Status: http.StatusUnauthorized, reason: forLogin, Login: true,
		Title: "Who are you?", Text: "This app wants a name and a password.",
	}
	refuseBusy = &Refusal{
		Status: http.StatusServiceUnavailable, reason: forGuesses, Retry: 2 * time.Second,
		Title: "Try again", Text: "Too many passwords are being looked at.",
	}
	refuseBody = &Refusal{
		Status: http.StatusRequestEntityTooLarge, reason: forBody,
		Title: "Too large", Text: "This app takes no request of this size.",
	}
)

func refuseRate(why reason, wait time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusTooManyRequests, reason: why, Retry: wait,
		Title: "Slower, please", Text: "This app takes fewer requests in this time.",
	}
}

func refuseGuesses(wait time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusTooManyRequests, reason: forGuesses, Retry: wait,
		Title: "Slower, please", Text: "Too many wrong passwords came from your address.",
	}
}

func (h *held) maintenance() *Refusal {
	return &Refusal{
		Status: http.StatusServiceUnavailable, reason: forMaintenance, Retry: h.Maintenance.Retry, Page: h.Maintenance.Page,
		Title: "Be right back", Text: "This app is being worked on.",
	}
}
