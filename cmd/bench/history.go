package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// histories: a clone and a push of a large history, over gitd's door and over OpenSSH. gitd's first push also builds
// and boots, so the phases after "receive", which ends when all objects are stored, are taken from what it took.
func (b *bench) histories(ctx context.Context) error {
	g, err := b.server(ctx)
	if err != nil {
		return err
	}
	p, err := b.other(ctx)
	if err != nil {
		return err
	}
	commits := 5000
	if b.smoke {
		commits = 50
	}
	dir := filepath.Join(b.run, "large")
	if err := b.large(ctx, dir, commits); err != nil {
		return err
	}
	for i := range min(b.rounds, 3) { // each push boots a machine
		if err := b.history(ctx, g, p, dir, fmt.Sprintf("large-%d", i)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) history(ctx context.Context, g *gitd, p *plain, dir, app string) error {
	if err := b.command(ctx, "", "git", "init", "-q", "--bare", "-b", "main", filepath.Join(p.dir, app)+".git"); err != nil {
		return err
	}
	begun := time.Now()
	if err := b.command(ctx, dir, "git", "push", "-q", g.remote(app), "main"); err != nil {
		return err
	}
	ours := time.Since(begun)
	steps, err := g.steps(ctx, app)
	if err != nil {
		return err
	}
	for _, s := range steps[1:] { // what follows "receive"
		ours -= s.Took
	}
	begun = time.Now()
	if err := b.command(ctx, dir, "git", "push", "-q", p.remote(app), "main"); err != nil {
		return err
	}
	b.table.compare("push of a large history, without build and boot", "s", "OpenSSH and a bare repository", ours.Seconds(), time.Since(begun).Seconds())
	var took [2]float64
	for i, remote := range []string{g.remote(app), p.remote(app)} {
		to := filepath.Join(b.run, "copy")
		begun := time.Now()
		if err := b.command(ctx, "", "git", "clone", "-q", remote, to); err != nil {
			return err
		}
		took[i] = time.Since(begun).Seconds()
		if err := os.RemoveAll(to); err != nil {
			return err
		}
	}
	b.table.compare("clone of a large history", "s", "OpenSSH and a bare repository", took[0], took[1])
	_, err = g.command(ctx, "apps:destroy", app, "--confirm", app)
	return err
}

// large makes a repository with that many commits, each of one new file that does not compress, and of a starter app.
func (b *bench) large(ctx context.Context, dir string, commits int) error {
	if err := b.command(ctx, "", "git", "init", "-q", "-b", "main", dir); err != nil {
		return err
	}
	cmd := b.prepared(ctx, dir, "git", "fast-import", "--quiet")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return err
	}
	w := bufio.NewWriter(in)
	source := rand.NewChaCha8([32]byte{}) // the same in each run
	blob := make([]byte, 8<<10)
	const server = "require('http').createServer((q, s) => s.end('large')).listen(process.env.PORT)\n"
	for i := range commits {
		source.Read(blob) //nolint:errcheck // it cannot fail
		fmt.Fprintf(w, "commit refs/heads/main\ncommitter Ada <ada@example.org> %d +0000\ndata 1\nx\n", 1700000000+i)
		fmt.Fprintf(w, "M 100644 inline d%d/f%d\ndata %d\n%s\n", i%100, i, len(blob), blob)
		if i == 0 {
			fmt.Fprintf(w, "M 100644 inline server.js\ndata %d\n%s\nM 100644 inline package.json\ndata 2\n{}\n", len(server), server)
		}
	}
	if err := errors.Join(w.Flush(), in.Close(), cmd.Wait()); err != nil {
		return fmt.Errorf("git fast-import: %w: %s", err, said.String())
	}
	return nil
}
