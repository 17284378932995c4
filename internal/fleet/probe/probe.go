// Package probe asks a candidate for its health-check path.
//
// It owns how often it asks, and which answers are good. It does not own what becomes of the candidate.
package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/units"
)

const (
	probeTimeout = 10 * time.Second       // one answer
	probeEvery   = 300 * time.Millisecond // between two probes; the first one follows the guest's own report
	Most         = 15 * time.Minute       // for all probes of a check that counts attempts and sets no time
)

// Prober asks a candidate for its health-check path.
type Prober struct {
	core.Health
	client *http.Client
	host   string // Host header: the name the app will be served under
	status int    // of the last answer; 0: there was none
}

// New makes a Prober, with defaults for what h leaves open.
func New(host string, h core.Health) *Prober {
	h.Path = cmp.Or(h.Path, "/")
	h.Interval = cmp.Or(h.Interval, probeEvery)
	h.Probe = cmp.Or(h.Probe, probeTimeout)
	return &Prober{Health: h, host: host}
}

// ask makes p one that asks the machine at addr.
func (p *Prober) ask(addr string) {
	p.client = &http.Client{
		Timeout: p.Probe,
		// A redirect is an answer: following it could lead anywhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives:      true,
			DialContext:            core.MachineDialer(addr, p.Probe),
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// UntilHealthy probes addr until it gives any answer below 500. It gives up after the attempts that the check allows,
// when ctx ends, or at once when the machine ends. The pusher sees each new answer, and how often it has come.
func (p *Prober) UntilHealthy(ctx context.Context, addr string, ended <-chan struct{}, r *progress.Report) error {
	p.ask(addr)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	told := progress.Repeats{Say: func(format string, args ...any) { r.Detail("health check: "+format, args...) }}
	last := func() error { return errors.New(told.Answer + told.Times(time.Now())) }
	for n, wait := 1, p.Delay; ; n, wait = n+1, p.Interval {
		select {
		case <-ctx.Done():
			return last()
		case <-time.After(wait):
		}
		good, answer, took := p.probe(ctx)
		if ctx.Err() != nil {
			if told.Count == 0 {
				told.Answer = answer
			}
			return last()
		}
		told.Note(time.Now(), answer, took)
		switch {
		case good:
			return nil
		case p.Attempts > 0 && n >= p.Attempts:
			return fmt.Errorf("%s%s, after %d attempts", answer, took, n)
		}
	}
}

// probe asks once and says what came of it, and how long that took.
func (p *Prober) probe(ctx context.Context) (good bool, answer, took string) {
	start := time.Now()
	status, err := p.get(ctx)
	since := units.Took(time.Since(start))
	if err != nil {
		return false, fmt.Sprintf("GET %s: %s", p.Path, noAnswer(err)), ", after " + since
	}
	p.status = status
	return status < http.StatusInternalServerError, fmt.Sprintf("GET %s → %d", p.Path, status), " in " + since
}

func (p *Prober) get(ctx context.Context) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://machine"+p.Path, nil)
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

// noAnswer says why there was no answer, without the addresses of the host's side: they mean nothing to the pusher, and
// differ each time.
func noAnswer(err error) string {
	at, asked := errors.AsType[*url.Error](err)
	op, dialled := errors.AsType[*net.OpError](err)
	switch {
	case asked && at.Timeout(), errors.Is(err, context.Canceled):
		return "no answer"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the app closed the connection without an answer"
	case dialled:
		return op.Err.Error()
	case asked:
		return progress.OneLine(at.Err.Error())
	}
	return progress.OneLine(err.Error())
}

// Unhealthy is why a candidate that listens is not waited for any longer. A balancer or a proxy without anybody behind
// it answers with the statuses from 502 to 504, and so does an app that is not ready: only its author knows.
func (p *Prober) Unhealthy(rel core.Release, why error, known string) *core.Rejection {
	hint := fmt.Sprintf("`GET %s` must be answered with a status below 500; `logs %s` has what the app said.\n", p.Path, rel.App)
	if p.status >= http.StatusBadGateway && p.status <= http.StatusGatewayTimeout {
		hint += "A balancer or a proxy answers so while nobody is behind it. In package.json, name a path that it answers by itself,\n"
	} else {
		hint += "In package.json, name a path that shows that the app is well,\n"
	}
	hint += `"nodeos": {"healthcheck": {"path": "/healthz"}}, or let it be enough that it listens: "nodeos": {"healthcheck": false}`
	return core.Reject(fmt.Sprintf("health check failed: %v, on port %d%s", why, rel.Port(), known), hint)
}
