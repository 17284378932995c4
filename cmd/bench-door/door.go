package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"net"

	"github.com/nodeos-dev/gitd/internal/applog"
	"github.com/nodeos-dev/gitd/internal/certs"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/heap"
	"github.com/nodeos-dev/gitd/internal/proxy"
	"github.com/nodeos-dev/gitd/internal/proxy/access"
)

// app is the one that all requests are for.
const app = "shop"

// noneSet is a ledger in which nobody has set a certificate.
type noneSet struct{ certs.Store }

func (noneSet) OwnCertificates(context.Context) ([]core.OwnCertificate, error) { return nil, nil }

// serveDoor is the front door, as gitd serve puts it together: with the certificates of a folder and the access log of
// each app.
func serveDoor(ctx context.Context, dir string) error {
	heap.Relax()
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	logs := applog.Open(func(string) string { return filepath.Join(dir, "access.log") })
	defer logs.Close()
	keeper, err := certs.New(certs.Config{
		Domain: domain, Folder: filepath.Join(dir, "certificates"), Log: log,
		Names:   func(context.Context) ([]certs.Name, error) { return []certs.Name{{Host: host, App: app}}, nil },
		Changed: func() <-chan struct{} { return nil }, Store: noneSet{},
	})
	if err != nil {
		return err
	}
	p := proxy.New(proxy.Config{Domain: domain, Log: log, After: []func(proxy.Request){access.Each(logs.Append, false)}})
	p.Switch(app, []string{backend})(ctx)
	plain, err := net.Listen("tcp", address("gitd", false))
	if err != nil {
		return err
	}
	secure, err := net.Listen("tcp", address("gitd", true))
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return keeper.Run(ctx) })
	g.Go(func() error { return p.Serve(ctx, plain) })
	g.Go(func() error { return p.ServeTLS(ctx, secure, keeper.TLS()) })
	return g.Wait()
}
