package drain

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/outbound"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// form is how lines are written into a request.
type form interface {
	write(batch []record) ([]byte, error)
	contentType() string
	// heard reads what a receiver says that has taken a request.
	heard(body []byte) error
}

// maxHeard bounds what is read of an answer, in bytes.
const maxHeard = 64 << 10

// maxSaid is how much of a refusal people see, in bytes.
const maxSaid = 120

// httpSink sends requests of many lines, packed.
type httpSink struct {
	to     address
	client *http.Client
	agent  string
	form   form
	packed bytes.Buffer
	packer *gzip.Writer
}

func newHTTPSink(to address, reach outbound.Reach, agent string, f form) *httpSink {
	return &httpSink{to: to, client: reach.Client(), agent: agent, form: f, packer: gzip.NewWriter(nil)}
}

func (s *httpSink) send(ctx context.Context, batch []record) error {
	body, err := s.form.write(batch)
	if err != nil {
		return &refusal{why: err.Error(), never: true}
	}
	s.packed.Reset()
	s.packer.Reset(&s.packed)
	s.packer.Write(body) //nolint:errcheck // a buffer takes everything
	s.packer.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.to.http.URL, bytes.NewReader(s.packed.Bytes()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", s.form.contentType())
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("User-Agent", s.agent)
	if s.to.http.Auth != "" {
		req.Header.Set("Authorization", s.to.http.Auth)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return outbound.Cause(err)
	}
	defer resp.Body.Close()
	heard, _ := io.ReadAll(io.LimitReader(resp.Body, maxHeard)) // what is missing of an answer changes nothing
	if err := judge(resp.StatusCode, resp.Header.Get("Retry-After"), s.said(heard)); err != nil {
		return err
	}
	return s.form.heard(heard)
}

// said is the beginning of an answer for people, unless it repeats what only the receiver should know.
func (s *httpSink) said(heard []byte) string {
	for _, secret := range s.to.http.Secrets {
		if bytes.Contains(heard, []byte(secret)) {
			return ""
		}
	}
	return progress.OneLine(strings.ToValidUTF8(string(heard[:min(len(heard), maxSaid)]), ""))
}

func (s *httpSink) close() { s.client.CloseIdleConnections() }

// jsonForm is an array of objects, one for each line.
type jsonForm struct{ host string }

// jsonLine is a line as JSON. Names are only ever added: docs/drains.md has them.
type jsonLine struct {
	Time    time.Time `json:"time"`
	App     string    `json:"app"`
	Process string    `json:"process"`
	Release string    `json:"release,omitempty"`
	Stream  string    `json:"stream"`
	Host    string    `json:"host"`
	Message string    `json:"message"`
}

func (f jsonForm) write(batch []record) ([]byte, error) {
	lines := make([]jsonLine, len(batch))
	for i, r := range batch {
		lines[i] = jsonLine{r.Time, r.app, r.who(), r.release(), r.Stream, f.host, r.Text}
	}
	return json.Marshal(lines)
}

func (jsonForm) contentType() string { return "application/json" }
func (jsonForm) heard([]byte) error  { return nil }
