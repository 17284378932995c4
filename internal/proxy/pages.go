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
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	sendPage(w, r, p, visitOf(r).page(p.Status))
}

// sendPage sends a page, or own in its place to clients that ask for HTML, unless it is empty. A page that people have
// set for their app is as bare as the front door's: it loads nothing and runs nothing, since what it would load may be
// what is down.
func sendPage(w http.ResponseWriter, r *http.Request, p page, own string) {
	h := w.Header()
	if r.ContentLength != 0 && r.ProtoMajor == 1 {
		h.Set("Connection", "close") // net/http would wait for the rest of the body before it answers
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:")
	var body bytes.Buffer
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		h.Set("Content-Type", "text/html; charset=utf-8")
		if own != "" {
			body.WriteString(own)
		} else if err := pageHTML.Execute(&body, p); err != nil {
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
