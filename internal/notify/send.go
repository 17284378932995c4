package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/nodeos-dev/gitd/internal/outbound"
)

// answer is that of a receiver that did not take a message.
type answer struct {
	status int
	after  time.Duration // in which it wants to be asked again; 0: it does not say
}

func (a *answer) Error() string {
	text := fmt.Sprintf("the receiver answers %d %s", a.status, http.StatusText(a.status))
	if a.status/100 == 3 {
		text += "; redirects are not followed"
	}
	return text
}

// final reports whether the receiver means what it says: the message, or the URL, is wrong.
func (a *answer) final() bool {
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return a.status/100 == 3 || a.status/100 == 4
}

// maxHeard bounds what is read of an answer, in bytes, so that its connection serves again.
const maxHeard = 16 << 10

// post sends a message once. Each attempt has the id of the message, a time of its own, and its signature.
func (h *hook) post(ctx context.Context, id string, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.to.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	timestamp, signature := sign(h.Key, id, time.Now(), body)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": h.agent, "Authorization": h.to.Auth,
		"Webhook-Id": id, "Webhook-Timestamp": timestamp, "Webhook-Signature": signature,
	} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return outbound.Cause(err)
	}
	defer resp.Body.Close()
	io.CopyN(io.Discard, resp.Body, maxHeard) //nolint:errcheck // nobody reads it
	if resp.StatusCode/100 == 2 {
		return nil
	}
	a := &answer{status: resp.StatusCode}
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n > 0 {
		a.after = time.Duration(n) * time.Second
	}
	return a
}
