package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/templates"
)

// images builds each app on each kernel.
func (s settings) images(ctx context.Context) (map[combination]core.Manifest, error) {
	state := core.StateDir(s.state)
	if err := state.Create(); err != nil {
		return nil, err
	}
	init, err := filepath.Abs(s.init)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "bench-boot")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	images := map[combination]core.Manifest{}
	for _, app := range s.apps {
		src, err := repository(ctx, filepath.Join(tmp, app), app)
		if err != nil {
			return nil, err
		}
		for _, kernel := range s.kernels {
			bases := base.New(base.Config{State: state, GuestInit: init, Kernel: base.KernelChoice(kernel)})
			b, err := builder.New(builder.Config{State: state, Bases: bases, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel)})
			if err != nil {
				return nil, err
			}
			if images[combination{Kernel: kernel, App: app}], err = b.Build(ctx, src, progress.NewReport(os.Stderr)); err != nil {
				return nil, err
			}
		}
	}
	return images, nil
}

// repository makes a git repository from a starter app.
func repository(ctx context.Context, dir, app string) (image.Source, error) {
	files, err := fs.Sub(templates.FS, "apps/"+app)
	if err != nil {
		return image.Source{}, err
	}
	work := filepath.Join(dir, "work")
	if err := os.CopyFS(work, files); err != nil {
		return image.Source{}, fmt.Errorf("starter app %q: %w", app, err)
	}
	repo := filepath.Join(dir, "repo.git")
	git := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "git", args...)
		cmd.Dir = work
		cmd.Env = []string{"PATH=/usr/bin:/bin", "GIT_DIR=" + repo, "GIT_WORK_TREE=" + work, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@example.org", "GIT_COMMITTER_NAME=bench", "GIT_COMMITTER_EMAIL=bench@example.org"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("git %s: %w: %s", args[0], err, out)
		}
		return strings.TrimSpace(string(out)), err
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "-A"}, {"commit", "-q", "-m", app}} {
		if _, err := git(args...); err != nil {
			return image.Source{}, err
		}
	}
	commit, err := git("rev-parse", "HEAD")
	return image.Source{App: app, Repo: repo, Commit: commit}, err
}
