package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

const (
	probeTimeout = 10 * time.Second       // one answer
	probeEvery   = 300 * time.Millisecond // between two probes; the first one follows the guest's own report
	probeMost    = 15 * time.Minute       // for all probes of a check that counts attempts and sets no time
)

// prober asks a candidate for its health-check path.
type prober struct {
	core.Health
	client *http.Client
	host   string // Host header: the name the app will be served under
}

// newProber makes a prober, with defaults for what h leaves open.
func newProber(host string, h core.Health) *prober {
	h.Path = cmp.Or(h.Path, "/")
	h.Interval = cmp.Or(h.Interval, probeEvery)
	h.Probe = cmp.Or(h.Probe, probeTimeout)
	return &prober{
		Health: h, host: host,
		client: &http.Client{
			Timeout: h.Probe,
			// A redirect is an answer: following it could lead anywhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DisableKeepAlives:      true,
				DialContext:            (&net.Dialer{Timeout: h.Probe}).DialContext,
				MaxResponseHeaderBytes: 64 << 10,
			},
		},
	}
}

// untilHealthy probes addr until it gives any answer below 500. It gives up after the attempts that the check allows,
// when ctx ends, or at once when the machine ends. The pusher sees each probe.
func (p *prober) untilHealthy(ctx context.Context, addr string, ended <-chan struct{}, r *progress.Report) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	last := fmt.Sprintf("no answer to GET %s in time", p.Path)
	for n, wait := 1, p.Delay; ; n, wait = n+1, p.Interval {
		select {
		case <-ctx.Done():
			return errors.New(last)
		case <-time.After(wait):
		}
		good, said := p.probe(ctx, addr)
		if ctx.Err() != nil {
			return errors.New(last)
		}
		last = said
		r.Detail("health check: %s", said)
		switch {
		case good:
			return nil
		case p.Attempts > 0 && n >= p.Attempts:
			return fmt.Errorf("%s, after %d attempts", last, n)
		}
	}
}

// probe asks once and says what came of it.
func (p *prober) probe(ctx context.Context, addr string) (good bool, said string) {
	start := time.Now()
	status, err := p.get(ctx, addr)
	took := time.Since(start).Round(time.Millisecond)
	if err != nil {
		return false, fmt.Sprintf("GET %s: %v, after %s", p.Path, errors.Unwrap(err), took)
	}
	return status < 500, fmt.Sprintf("GET %s → %d in %s", p.Path, status, took)
}

func (p *prober) get(ctx context.Context, addr string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+p.Path, nil)
	if err != nil {
		return 0, fmt.Errorf("request: %w", err)
	}
	req.Host = p.host
	req.Header.Set("User-Agent", "gitd-healthcheck")
	res, err := p.client.Do(req)
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	return res.StatusCode, nil
}
