package proxy

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

// retryAfter is when a client should try again while an app is down, in
// seconds: about as long as a machine takes to boot.
const retryAfter = "5"

// page is an answer of the front door itself.
type page struct {
	Status int
	Title  string
	Text   string
}

var pageHTML = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}</style>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
</html>
`))

// write sends HTML to clients that ask for it, and one line of plain text to others, so that curl shows something to
// read.
func write(w http.ResponseWriter, r *http.Request, p page) {
	h := w.Header()
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	var body bytes.Buffer
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/html; charset=utf-8")
		if err := pageHTML.Execute(&body, p); err != nil {
			http.Error(w, p.Title, p.Status)
			return
		}
	} else {
		h.Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintf(&body, "%s. %s\n", p.Title, p.Text)
	}
	w.WriteHeader(p.Status)
	w.Write(body.Bytes()) // fails if the client is gone
}
