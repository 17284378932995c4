package main

import (
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdReceiver serves HTTPS from now on, and writes each request into the file NAME: a line with its path and the
// headers that matter, and one with its body. It sets the variable RECEIVER to its host and port, and writes the
// authority of its certificate into receiver-ca.pem in the state folder, which the user gitd can read: receiver NAME.
// `receiver NAME REGEXP` waits for what matches. While there is a file "refuse", it answers 503.
func cmdReceiver(ts *testscript.TestScript, neg bool, args []string) {
	path := filepath.Join(ts.Getenv("WORK"), args[0])
	if len(args) == 2 {
		want := regexp.MustCompile("(?m)" + args[1])
		for deadline := time.Now().Add(eventLimit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
			text, err := os.ReadFile(path)
			ts.Check(err)
			if want.Match(text) {
				return
			}
		}
		text, _ := os.ReadFile(path)
		ts.Fatalf("no request %q in\n%s", args[1], text)
	}
	file, err := os.Create(path)
	ts.Check(err)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(filepath.Join(ts.Getenv("WORK"), "refuse")); err == nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		file.Write(request(r)) //nolint:errcheck // the script waits for what is written
	}))
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	ts.Check(os.WriteFile(filepath.Join(daemonOf(ts).state, "receiver-ca.pem"), ca, 0o644))
	ts.Setenv("RECEIVER", strings.TrimPrefix(s.URL, "https://"))
	ts.Defer(func() {
		s.Close()
		file.Close()
	})
}

// request is a request as two lines.
func request(r *http.Request) []byte {
	var buf bytes.Buffer
	buf.WriteString(r.URL.RequestURI())
	for _, name := range []string{"Authorization", "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"} {
		buf.WriteString(" " + r.Header.Get(name))
	}
	buf.WriteByte('\n')
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			return []byte(err.Error())
		}
		body = z
	}
	io.Copy(&buf, body) //nolint:errcheck // the script sees what is missing
	buf.WriteByte('\n')
	return buf.Bytes()
}
