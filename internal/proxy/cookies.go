package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/nodeos-dev/gitd/internal/proxy/origin"
)

// ownAnswer returns what makes an app's answer its own. It takes the Domain out of a cookie that would be sent to
// every app below domain: an app could set it for its siblings, and so log people into an account of its choice
// there. Without Domain, the cookie is for the app's own host. Browsers refuse Domain themselves only for the names of
// the public suffix list. The id of the request is the front door's: it is in the answer already.
func ownAnswer(domain string) func(*http.Response) error {
	return func(res *http.Response) error {
		delete(res.Header, origin.IDHeader)
		cookies := res.Header["Set-Cookie"]
		for i, c := range cookies {
			cookies[i] = forOne(c, domain)
		}
		return nil
	}
}

// forOne is a cookie without a Domain that spans domain. It is a copy byte for byte otherwise.
func forOne(cookie, domain string) string {
	attributes := strings.Split(cookie, ";")
	own := slices.DeleteFunc(slices.Clone(attributes[1:]), func(a string) bool {
		name, value, _ := strings.Cut(a, "=")
		value = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(value)), ".")
		return strings.EqualFold(strings.TrimSpace(name), "Domain") && value != "" &&
			(value == domain || strings.HasSuffix(domain, "."+value))
	})
	if len(own) == len(attributes)-1 {
		return cookie
	}
	return strings.Join(append(attributes[:1:1], own...), ";")
}
