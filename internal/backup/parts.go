package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/snapshot"
	"github.com/nodeos-dev/gitd/internal/units"
)

// The names in a backup. parse reads them again.
const (
	ledgerName   = "ledger.db"
	keyName      = "secrets/config.key"
	secretsDir   = "secrets/"
	sshDir       = "secrets/ssh/"
	certsDir     = "secrets/certificates/"
	contentsName = "contents.json"
)

func bundleName(app string) string          { return "repos/" + app + ".bundle" }
func shallowName(app string) string         { return "repos/" + app + ".shallow" }
func extentName(id string, at int64) string { return fmt.Sprintf("volumes/%s/%016x", id, at) }
func layerName(digest string) string        { return "layers/" + digest + ".erofs" }
func baseName(id, file string) string       { return path.Join("bases", id, file) }
func (w *work) json(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return w.Bytes(name, append(text, '\n'))
}

// secrets adds the keys, if somebody has asked for them.
func (w *work) secrets() error {
	if !w.Secrets {
		w.r.Step("No keys: not that of the config (%s), nor the host's, nor those of certificates; --with-key takes them along", keyOf(w.cfg.State))
		return nil
	}
	w.r.Step("The keys: whoever has this backup can read the config of all apps, and be this host")
	key, err := os.ReadFile(keyOf(w.cfg.State))
	if err != nil {
		return err
	}
	if err := w.Bytes(keyName, key); err != nil {
		return err
	}
	for in, dir := range map[string]string{sshDir: filepath.Dir(w.cfg.State.HostKey()), certsDir: core.Certificates(w.cfg.State)} {
		if err := w.folder(in, dir); err != nil {
			return err
		}
	}
	return nil
}

// keyOf is where the key of the config is.
func keyOf(d core.StateDir) string { return d.Ledger() + ".key" }

// mostSecret bounds the file of a key or of a certificate, in bytes.
const mostSecret = 1 << 20

// folder adds the plain files below dir whose names parse knows.
func (w *work) folder(in, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return disk.IgnoreMissing(err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !isSecret(in+name) {
			return disk.IgnoreMissing(err)
		}
		text, err := root.ReadFile(name)
		if err != nil || len(text) > mostSecret {
			return disk.IgnoreMissing(err)
		}
		return w.Bytes(in+name, text)
	})
}

// repos adds the repositories, each with the commits of its releases: no branch may lead there any more.
func (w *work) repos(ctx context.Context, images []core.Release) error {
	apps, err := w.cfg.Ledger.Apps(ctx)
	if err != nil {
		return err
	}
	commits := map[string]map[string]bool{}
	for _, r := range images {
		if commits[r.App] == nil {
			commits[r.App] = map[string]bool{}
		}
		commits[r.App][r.Commit] = true
	}
	for _, a := range apps {
		w.contents.Apps = append(w.contents.Apps, a.Name)
		if err := w.repo(ctx, a.Name, slices.Sorted(maps.Keys(commits[a.Name]))); err != nil {
			return fmt.Errorf("the repository of %s: %w", a.Name, err)
		}
	}
	w.r.Step("%d repositories", len(apps))
	return nil
}

func (w *work) repo(ctx context.Context, app string, commits []string) error {
	return w.temp(func(f *os.File) error {
		shallow, err := w.cfg.Repos.Write(ctx, app, commits, f)
		if w.cfg.Repos.Empty(err) {
			return nil
		}
		if err == nil && len(shallow) > 0 {
			err = w.Bytes(shallowName(app), shallow)
		}
		if err != nil {
			return err
		}
		return w.file(bundleName(app), f)
	})
}

// volumes adds the volumes, those of each app together.
func (w *work) volumes(ctx context.Context) error {
	all, err := w.cfg.Ledger.Volumes(ctx, "")
	if err != nil {
		return err
	}
	for len(all) > 0 {
		app := all[0].App
		n := slices.IndexFunc(all, func(v core.Volume) bool { return v.App != app })
		if n < 0 {
			n = len(all)
		}
		if err := w.volumesOf(ctx, app, all[:n]); err != nil {
			return fmt.Errorf("the volumes of %s: %w", app, err)
		}
		all = all[n:]
	}
	return nil
}

func (w *work) volumesOf(ctx context.Context, app string, volumes []core.Volume) (err error) {
	taken, err := w.cfg.Copies.Take(ctx, app, volumes)
	if err != nil {
		return w.removedMeanwhile(ctx, app, err)
	}
	defer func() {
		for _, t := range taken {
			err = errors.Join(err, t.Close())
		}
	}()
	for _, t := range taken {
		if err := w.volume(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// removedMeanwhile forgives why the volumes of an app could not be copied, if they are gone.
func (w *work) removedMeanwhile(ctx context.Context, app string, why error) error {
	left, err := w.cfg.Ledger.Volumes(ctx, app)
	if err != nil || len(left) > 0 {
		return errors.Join(why, err)
	}
	w.contents.LeftOut = append(w.contents.LeftOut, "the volumes of "+app)
	return nil
}

// hole is how long a hole of a volume must be to be left out, in bytes.
const hole = 1 << 20

func (w *work) volume(ctx context.Context, t snapshot.Taken) error {
	var sum int64
	err := disk.Extents(t.File, hole, func(e disk.Extent) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		sum += e.Length
		return w.Add(extentName(t.ID, e.Offset), e.Length, io.NewSectionReader(t.File, e.Offset, e.Length))
	})
	if err != nil {
		return err
	}
	w.contents.Volumes = append(w.contents.Volumes, ofDisk{t.ID, t.App, t.Volume.Name, t.Size, t.How.Frozen, t.How.Idle})
	w.r.Step("The volume %s of %s: %s (%s)", t.Volume.Name, t.App, units.Bytes(sum), t.How)
	return nil
}

// layers adds the images that can be booted, if somebody has asked for them.
func (w *work) layers(ctx context.Context, images []core.Release) error {
	if !w.Layers {
		w.r.Step("No images: after a restore, apps are built again; --layers takes them along")
		return nil
	}
	files := map[string]string{}
	for _, r := range images {
		if !image.Bootable(w.cfg.State, r) {
			continue
		}
		for _, l := range r.Manifest.Layers() {
			files[layerName(l.Digest)] = w.cfg.State.Layer(l.Digest)
		}
		entries, err := os.ReadDir(w.cfg.State.Base(r.Manifest.Base))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if name := baseName(r.Manifest.Base, e.Name()); e.Type().IsRegular() && isBase(name) {
				files[name] = filepath.Join(w.cfg.State.Base(r.Manifest.Base), e.Name())
			}
		}
	}
	return w.files(ctx, files)
}

// files adds files that may be removed meanwhile: those that are needed are not.
func (w *work) files(ctx context.Context, files map[string]string) error {
	n := 0
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := os.Open(files[name])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = errors.Join(ctx.Err(), w.file(name, f))
		f.Close()
		if err != nil {
			return err
		}
		n++
	}
	w.r.Step("%d files of images", n)
	return nil
}
