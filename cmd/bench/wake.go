package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
)

// wakes: an app sleeps, and a visitor comes.
func wakes(b *bench, ctx context.Context) error {
	apps := []string{"hello", "express"}
	if b.smoke {
		apps = apps[:1]
	}
	for _, app := range apps {
		if err := wakesOf(ctx, b, app); err != nil {
			return fmt.Errorf("%s: %w", app, err)
		}
	}
	return nil
}

func wakesOf(ctx context.Context, b *bench, from string) error {
	app := "sleepy-" + from
	g, err := b.server(ctx)
	if err != nil {
		return err
	}
	c, err := b.starter(ctx, from, app)
	if err != nil {
		return err
	}
	said, err := c.change(ctx)
	if err != nil {
		return err
	}
	if _, err := c.push(ctx, g.remote(app), g.target(app), said); err != nil {
		return err
	}
	line, err := g.commandLine(app)
	if err != nil {
		return err
	}
	alone, err := b.newFloor(line)
	if err != nil {
		return err
	}
	for range b.rounds {
		bare, err := alone.boot(ctx, b)
		if err != nil {
			return fmt.Errorf("QEMU by itself: %w", err)
		}
		size, err := g.sleep(ctx, app)
		if err != nil {
			return err
		}
		took, err := g.target(app).since(ctx, said, func() error { return nil })
		if err != nil {
			return err
		}
		b.table.compare(from+": asleep, request → first byte", "s", "QEMU by itself, the same image", took, bare.total)
		b.table.note(from+": the file that it sleeps in", "MB", float64(size)/1e6)
	}
	return nil
}

// sleep puts an app to sleep, and returns how large what all apps were saved to is.
func (g *gitd) sleep(ctx context.Context, app string) (size int64, err error) {
	if _, err := g.command(ctx, "sleep", app); err != nil {
		return 0, err
	}
	return g.slept()
}

// slept is how large what all apps were saved to is.
func (g *gitd) slept() (size int64, err error) {
	return size, filepath.WalkDir(filepath.Join(g.state, "sleep"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(e.Name()) != ".state" {
			return err
		}
		info, err := e.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
}
