package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	probeTimeout = 10 * time.Second       // one answer
	probeEvery   = 300 * time.Millisecond // between two probes; the first follows the guest's own event
)

// errUnhealthy: the candidate did not come to answer in time.
var errUnhealthy = errors.New("not healthy")

// prober asks a candidate for its health-check path.
type prober struct {
	client *http.Client
	host   string // Host header: the name the app will be served under
	path   string
}

func newProber(host, path string) *prober {
	if path == "" {
		path = "/"
	}
	return &prober{
		host: host, path: path,
		client: &http.Client{
			Timeout: probeTimeout,
			// A redirect is an answer: following it could lead anywhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DisableKeepAlives: true,
				DialContext:       (&net.Dialer{Timeout: probeTimeout}).DialContext,
			},
		},
	}
}

// untilHealthy probes addr until it gives any answer below 500, the machine
// ends, or ctx does.
func (p *prober) untilHealthy(ctx context.Context, addr string, ended <-chan struct{}, r *Report) error {
	last := ""
	for {
		took, status, err := p.probe(ctx, addr)
		switch {
		case err == nil && status < 500:
			r.Detail("health check: GET %s → %d in %s", p.path, status, took.Round(time.Millisecond))
			return nil
		case err == nil:
			last = fmt.Sprintf("GET %s → %d", p.path, status)
		case ctx.Err() == nil:
			last = fmt.Sprintf("GET %s: %v", p.path, errors.Unwrap(err))
		}
		r.Detail("health check: %s", last)
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", errUnhealthy, last)
		case <-ended:
			return errUnhealthy
		case <-time.After(probeEvery):
		}
	}
}

func (p *prober) probe(ctx context.Context, addr string) (time.Duration, int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+p.path, nil)
	if err != nil {
		return 0, 0, err
	}
	req.Host = p.host
	req.Header.Set("User-Agent", "gitd-healthcheck")
	start := time.Now()
	res, err := p.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	res.Body.Close()
	return time.Since(start), res.StatusCode, nil
}
