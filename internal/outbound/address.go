package outbound

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// MaxURL bounds a URL, in bytes.
const MaxURL = 2048

// Address is where a receiver that speaks HTTP is.
type Address struct {
	URL     string   // without the user
	Auth    string   // the header Authorization; empty: none
	Secrets []string // what no message repeats
}

// Parse reads a URL as people type it. ok is false if it is none, or names no host.
func Parse(text string) (u *url.URL, ok bool) {
	if len(text) > MaxURL || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return nil, false
	}
	u, err := url.Parse(text)
	return u, err == nil && u.Hostname() != "" && u.Fragment == ""
}

// ParseAddress reads the URL of a receiver that speaks HTTP. What is none is a *core.Rejection, which does not repeat
// it: it may hold a secret.
func ParseAddress(text string) (Address, error) {
	u, ok := Parse(text)
	if !ok || u.Scheme != "https" && u.Scheme != "http" {
		return Address{}, core.Reject("that is no URL that can be told something", "write https://HOST/PATH, with https://USER:PASSWORD@HOST or https://:TOKEN@HOST if it wants to know who asks")
	}
	return At(*u), nil
}

// At is the address of a URL.
func At(u url.URL) Address {
	password, _ := u.User.Password()
	a := Address{Auth: authorization(u.User)}
	for _, s := range []string{password, strings.TrimPrefix(a.Auth, "Basic "), strings.Trim(u.Path, "/"), u.RawQuery} {
		if s != "" {
			a.Secrets = append(a.Secrets, s)
		}
	}
	u.User = nil
	a.URL = u.String()
	return a
}

// authorization is what a URL says before its host: user:password, or :token for a bearer's token.
func authorization(user *url.Userinfo) string {
	if user == nil {
		return ""
	}
	password, has := user.Password()
	if user.Username() == "" && has {
		return "Bearer " + password
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

// Shown is a URL without what may be a secret in it: who logs in, the path, and what stands behind it.
func Shown(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "***"
	}
	s := u.Scheme + "://"
	if u.User != nil {
		s += "***@"
	}
	s += u.Host
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		s += "/***"
	}
	return s
}

// Secret reports whether a URL holds what only the receiver should know.
func Secret(text string) bool { return strings.Contains(Shown(text), "***") }

// Hint is what to do about an address that is closed; app is empty for a receiver of all apps.
func Hint(app, rule string) string {
	if app == "" {
		return "gitd serve --allow-receiver " + rule + " opens it"
	}
	return fmt.Sprintf("an administrator can open it, for this app with network:allow %s %s, or with gitd serve --allow-receiver %[2]s", app, rule)
}
