package proxy

import (
	"net/http"
	"net/url"
	"strings"
)

// machineHost stands in URLs for the machine, to which the pool connects by its own address.
const machineHost = "machine"

// machineURL is the URL with which a machine gets the request target of in byte for byte. url.URL writes a path anew,
// with %7C for a bar or %23 for a hash; its Opaque it writes as it is. net/http has checked that the target holds no
// control characters and that each % has its two digits.
//
// The URL is a new one, and not in's with another host: an absolute target may contain a user, which would become an
// Authorization header.
func machineURL(in *http.Request) *url.URL {
	form := originForm(in)
	if !strings.HasPrefix(form, "//") {
		return &url.URL{Scheme: "http", Host: machineHost, Opaque: form}
	}
	// url.URL would write "http:" before such an Opaque, and the app would take the first name for a host. As a path,
	// only the bytes that RFC 3986 does not allow there (a bar, a quote) are written with a %.
	return &url.URL{
		Scheme: "http", Host: machineHost, Path: in.URL.Path, RawPath: in.URL.RawPath,
		RawQuery: in.URL.RawQuery, ForceQuery: in.URL.ForceQuery,
	}
}

// originForm is the path and query of a request target, as the client sent them. Of an absolute target, it leaves out
// what net/http has read as scheme and authority (RFC 9112, 3.2.2).
func originForm(in *http.Request) string {
	target := in.RequestURI
	if target == "*" || strings.HasPrefix(target, "/") {
		return target
	}
	if in.URL.Opaque != "" {
		return "/" // mailto:x has no path, and net/http has not checked its bytes
	}
	_, rest, _ := strings.Cut(target, ":")
	if authority, found := strings.CutPrefix(rest, "//"); found {
		rest = authority[strings.IndexAny(authority+"/", "/?"):]
	}
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	return rest
}
