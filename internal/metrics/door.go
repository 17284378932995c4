package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Path is where the metrics are.
const Path = "/metrics"

// again is how long an address that another program has is waited for.
const again = time.Second

// Listen opens the door at an address.
type Listen func(address string) (net.Listener, error)

// Serve answers at address, which open opens, until ctx ends. If another program has the address, Serve says so and
// waits for it: nothing else of gitd does.
func (m *Metrics) Serve(ctx context.Context, address string, open Listen) error {
	l, err := m.listen(ctx, address, open)
	if l == nil {
		return err
	}
	m.log.Info("metrics", "url", "http://"+l.Addr().String()+Path)
	mux := http.NewServeMux()
	mux.Handle("GET "+Path, promhttp.HandlerFor(m, promhttp.HandlerOpts{
		// To compress takes as long as everything else, and who scrapes is near.
		DisableCompression: true, MaxRequestsInFlight: 4, Timeout: 10 * time.Second, ErrorLog: errorLog{m.log},
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "gitd: metrics for Prometheus are at "+Path)
	})
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan struct{})
	defer context.AfterFunc(ctx, func() { defer close(ended); leave(srv) })()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	<-ended
	return nil
}

// grace is how long a scrape that runs may take when gitd ends, or gives way to another one, which waits for that.
const grace = 500 * time.Millisecond

// leave takes no scrape any more, and lets those end that run.
func leave(srv *http.Server) {
	limit, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if srv.Shutdown(limit) != nil {
		srv.Close()
	}
}

func (m *Metrics) listen(ctx context.Context, address string, open Listen) (net.Listener, error) {
	for told := false; ; told = true {
		l, err := open(address)
		switch {
		case err == nil:
			return l, nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, fmt.Errorf("metrics: %w; choose another address with --metrics, or none: --metrics ''", err)
		case !told:
			m.log.Warn("metrics wait for their address, which another program has: --metrics chooses another", "address", address)
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// errorLog is where promhttp writes of a scrape that has failed.
type errorLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (l errorLog) Println(v ...any) { l.log.Error("metrics", "error", fmt.Sprint(v...)) }
