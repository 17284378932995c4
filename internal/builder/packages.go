package builder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/builder/debian"
	"github.com/nodeos-dev/gitd/internal/builder/sandbox"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/units"
)

// additions are what a machine has of Debian beside the base.
type additions struct {
	Layer     core.Layer     `json:"layer"`
	Packages  []core.Package `json:"packages"`
	Libraries []string       `json:"libraries"` // their names
}

// additionsFormat is part of every key of additions: raise it when another layer is made of the same packages.
const additionsFormat = 1

// archive is Debian's, with indexes that all builds share.
func (b *Builder) archive() debian.Archive {
	return debian.Archive{Dir: filepath.Join(b.cfg.State.Cache(), "debian")}
}

// addPackages makes or finds the layer of the Debian packages of these names. The same commit gets the same versions,
// as long as its layer is there: what the archive has changes with each security update, and old versions leave it.
func (j *job) addPackages(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	defer j.r.Lap("packages")
	j.r.Step("Adding packages of Debian")
	asked := strings.Join(names, " ")
	commit := additionsKey("commit", j.src.Commit, asked)
	if j.useAdditions(commit) {
		j.sayPackages("the versions that this commit got before")
		return nil
	}
	debs, err := j.b.archive().Resolve(ctx, names, j.r)
	if err != nil {
		return err
	}
	return j.takePackages(ctx, debs, commit, asked)
}

// takePackages makes or finds the layer of debs, and remembers it for the commit.
func (j *job) takePackages(ctx context.Context, debs []debian.Deb, commit, asked string) error {
	parts, err := j.systemParts(ctx)
	if err != nil {
		return err
	}
	all := []core.Package{parts.of}
	for _, d := range debs {
		all = append(all, d.Package)
	}
	slices.SortFunc(all, func(a, b core.Package) int { return strings.Compare(a.Name, b.Name) })
	list, err := json.Marshal(all)
	if err != nil {
		return err
	}
	exact := additionsKey("exact", string(list), asked)
	said := "cached"
	if !j.useAdditions(exact) {
		if err := j.makeAdditions(ctx, debs, parts); err != nil {
			return err
		}
		said, j.deb.Packages = "", all
	}
	j.sayPackages(said)
	return errors.Join(j.store.keepAdditions(exact, j.deb), j.store.keepAdditions(commit, j.deb))
}

// mostSaid is how many packages a push names.
const mostSaid = 8

func (j *job) sayPackages(how string) {
	var names []string
	for _, p := range j.deb.Packages {
		names = append(names, p.Name+" "+p.Version)
	}
	if more := len(names) - mostSaid; more > 0 {
		names = append(names[:mostSaid], fmt.Sprintf("%d more", more))
	}
	if how != "" {
		how = " (" + how + ")"
	}
	j.r.Detail("%s: %s%s", units.Bytes(j.deb.Layer.Size), strings.Join(names, ", "), how)
}

func additionsKey(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q", additionsFormat, parts))
	return hex.EncodeToString(sum[:16])
}

// makeAdditions fetches, unpacks and packs.
func (j *job) makeAdditions(ctx context.Context, debs []debian.Deb, parts systemParts) error {
	from, to := j.shop.path("debs"), j.shop.path("debian")
	if err := errors.Join(j.shop.mkdir("debs"), os.Mkdir(to, 0o700)); err != nil {
		return err
	}
	if len(debs) > 0 {
		if err := j.b.archive().Fetch(ctx, debs, from, j.r); err != nil {
			return err
		}
	}
	folder, err := debian.OpenUnpacked(to)
	if err != nil {
		return err
	}
	defer folder.Close()
	for _, d := range debs {
		if err := j.b.unpack(ctx, filepath.Join(from, d.File), folder); err != nil {
			return fmt.Errorf("unpack %s %s: %w", d.Name, d.Version, err)
		}
		if err := os.Remove(filepath.Join(from, d.File)); err != nil {
			return err
		}
	}
	if err := parts.copyTo(to); err != nil {
		return err
	}
	if j.deb.Libraries, err = debian.Libraries(to); err != nil {
		return err
	}
	j.deb.Layer, err = j.b.layers.StoreSystem(ctx, to, j.src.Hold)
	return errors.Join(err, disk.RemoveAll(to))
}

// unpack has dpkg-deb take the archive of files out of a package, in a sandbox without a network, because that is the
// program which has to read compressed data. What comes out is read by this process.
func (b *Builder) unpack(ctx context.Context, deb string, folder *debian.Unpacked) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := b.fsysTar(ctx, deb, w)
		done <- err
		w.CloseWithError(err)
	}()
	err := folder.Add(r)
	r.CloseWithError(err)
	return errors.Join(err, <-done)
}

func (b *Builder) fsysTar(ctx context.Context, deb string, out io.Writer) error {
	const program, inside = "/usr/bin/dpkg-deb", "/debs"
	if b.box == nil {
		cmd := exec.CommandContext(ctx, program, "--fsys-tarfile", deb)
		cmd.Env, cmd.Stdout = []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}, out
		return cmd.Run()
	}
	return b.box.Run(ctx, sandbox.Spec{
		Args: []string{program, "--fsys-tarfile", inside + "/" + filepath.Base(deb)},
		Env:  []string{"LC_ALL=C", "PATH=/usr/bin:/bin"}, Dir: "/",
		Mounts: []sandbox.Mount{{Host: filepath.Dir(deb), Inside: inside}}, Output: out,
	})
}

// systemParts are the libraries of glibc that the base leaves out, because few name them. They are taken from the host,
// as the base's are: another version of them would not fit to its libc.so.6.
type systemParts struct {
	of    core.Package
	paths []string // on the host, and in the machine
}

func partNames() []string {
	return []string{"libanl.so.1", "libmvec.so.1", "libnsl.so.1", "libresolv.so.2"}
}

func (j *job) systemParts(ctx context.Context) (systemParts, error) {
	c, err := base.Read(j.b.cfg.State, j.base)
	if err != nil {
		return systemParts{}, err
	}
	version, err := debian.Installed(ctx, "libc6")
	if err != nil {
		return systemParts{}, err
	}
	s := systemParts{of: core.Package{Name: "libc6", Version: version}}
	dir := path.Dir(c.Libraries()["libc.so.6"])
	for _, name := range partNames() {
		if p := path.Join(dir, name); isFile(p) {
			s.paths = append(s.paths, p)
		}
	}
	return s, nil
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (s systemParts) copyTo(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, p := range s.paths {
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		in := strings.TrimPrefix(p, "/")
		if err := errors.Join(root.MkdirAll(path.Dir(in), 0o755), root.WriteFile(in, content, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// env is what the repository's own settings put into the app's environment.
func (j *job) env() map[string]string {
	env := map[string]string{"NODE_ENV": "production"}
	if slices.Contains(j.plan.Package.Settings.Packages, nodeapp.Chromium) {
		env["PUPPETEER_EXECUTABLE_PATH"], env["CHROME_PATH"] = nodeapp.ChromiumProgram, nodeapp.ChromiumProgram
	}
	return env
}

// browserVars keep Puppeteer from fetching a second browser.
func (j *job) browserVars() []string {
	if !slices.Contains(j.plan.Package.Settings.Packages, nodeapp.Chromium) {
		return nil
	}
	return []string{"PUPPETEER_SKIP_DOWNLOAD=true", "PUPPETEER_SKIP_CHROMIUM_DOWNLOAD=true", "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1"}
}

// useAdditions takes the additions that were kept under key, if their layer is still there.
func (j *job) useAdditions(key string) bool {
	b, err := os.ReadFile(j.store.additionsPath(key))
	var a additions
	if err != nil || json.Unmarshal(b, &a) != nil {
		return false
	}
	j.src.Hold.Take(a.Layer.Digest)
	if image.CheckLayer(j.b.cfg.State, a.Layer) != nil {
		return false
	}
	j.deb = a
	return true
}

func (s store) additionsPath(key string) string { return filepath.Join(s.dir, "packages", key+".json") }

// keptAdditions is how many records an app keeps: those of its last commits. Each has some KB; the layers are kept by
// the releases that use them.
const keptAdditions = 64

func (s store) keepAdditions(key string, a additions) error {
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	name := s.additionsPath(key)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	if err := renameio.WriteFile(name, b, 0o600); err != nil {
		return err
	}
	records, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*.json"))
	if err != nil {
		return err
	}
	slices.SortFunc(records, func(a, b string) int { return modified(b).Compare(modified(a)) })
	for _, old := range records[min(keptAdditions, len(records)):] {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
