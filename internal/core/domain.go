package core

import (
	"fmt"
	"regexp"
	"strings"
)

// maxHost bounds a host name, in bytes, as DNS does.
const maxHost = 253

// longestName is that of an app, in bytes, as CheckName has it.
const longestName = 40

// Domain is one host name of an app.
type Domain struct{ App, Host string }

var (
	hostLabel = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)
	allDigits = regexp.MustCompile(`^[0-9]+$`)
)

// CheckDomain says why apps cannot be served below domain, or nil. The name of an app and a dot come before it.
func CheckDomain(domain string) error {
	labels := strings.Split(domain, ".")
	ok := len(domain)+len(".")+longestName <= maxHost
	for _, l := range labels {
		ok = ok && hostLabel.MatchString(l)
	}
	switch {
	case !ok:
		return Reject(fmt.Sprintf("%.60q is no domain", domain), "give a name in lower case without scheme, port or path, like apps.example.org, or localhost")
	case allDigits.MatchString(labels[len(labels)-1]):
		return Reject(fmt.Sprintf("%s is an address, and apps are served below a name", domain), "give a name, like apps.example.org, or localhost")
	}
	return nil
}

// CheckHost says why host cannot be the domain of an app, or nil. A host is
// in lower case and in its ASCII form; own is the domain below which every
// app has its name already.
func CheckHost(host, own string) error {
	labels := strings.Split(host, ".")
	ok := len(host) <= maxHost && len(labels) > 1
	for _, l := range labels {
		ok = ok && hostLabel.MatchString(l)
	}
	switch {
	case !ok:
		return Reject(fmt.Sprintf("%.60q is no host name", host), "give a full name without scheme, port or path, like www.example.org")
	case allDigits.MatchString(labels[len(labels)-1]):
		return Reject(fmt.Sprintf("%s is an address, not a host name", host), "")
	case host == own || strings.HasSuffix(host, "."+own):
		return Reject(fmt.Sprintf("%s is below %s, where each app has its own name already", host, own), "")
	}
	return nil
}
