package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"mvdan.cc/sh/v3/syntax"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/base/filelock"
	"github.com/nodeos-dev/gitd/internal/bootdisk"
	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/cli/dotenv"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/nodeapp"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/walls"
	"github.com/nodeos-dev/gitd/internal/worktree"
)

// imageOptions are what `gitd image` is told.
type imageOptions struct {
	options

	dir, out, format string
	folder           string // the app's, in dir
	name, env        string
	dirty, json      bool
}

// image makes a disk of the app in a folder, without a server.
func (h *host) image() *cobra.Command {
	var o imageOptions
	cmd := &cobra.Command{
		Use: "image [DIR]", Short: "build the app in a folder, and make a disk of it that boots without gitd",
		Long: "Build the app in a folder and write one disk, which QEMU, libvirt or a cloud boots without gitd.\n" +
			"Of a git repository, the commit that is checked out is built; with --dirty, and of any other folder,\n" +
			"the files as they are, without those that a .gitignore names.",
		Example: "  gitd image . -o shop.img\n  gitd image shop -o shop.qcow2 --env shop.env",
		Args:    command.Args(cobra.MaximumNArgs(1)),
	}
	f := cmd.Flags()
	o.builderFlags(f)
	f.StringVarP(&o.out, "output", "o", "", "file to write; empty: NAME.img")
	f.StringVar(&o.format, "format", "", "raw or qcow2; empty: what the file's name says, else raw")
	f.StringVar(&o.folder, "dir", "", "the app's folder in DIR, for a repository with several apps")
	f.StringVar(&o.name, "name", "", "the app's name; empty: that in package.json, else the folder's")
	f.StringVar(&o.env, "env", "", "a .env file with config for the app; its values are on the disk as they are")
	f.BoolVar(&o.dirty, "dirty", false, "take the files as they are, not those of the commit")
	f.BoolVar(&o.json, "json", false, "print the list of the disk's parts as JSON, and progress to standard error")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.dir = "."
		if len(args) > 0 {
			o.dir = args[0]
		}
		o.state = h.imageState()
		if err := o.firstWrong(f, o.builderChecks()); err != nil {
			return err
		}
		return h.makeImage(cmd.Context(), o)
	}
	return cmd
}

// imageState is where images are built: a folder beside what a daemon keeps in its state folder, because its
// collections know nothing of these builds. That of root is beside the state folder itself, which is not root's: this
// command reads and writes where the person who types it may, so it stays who it is.
func (h *host) imageState() string {
	if os.Geteuid() == 0 {
		return h.state + "-image"
	}
	return filepath.Join(h.state, "image")
}

func (h *host) makeImage(ctx context.Context, o imageOptions) error {
	out := h.out
	if o.json {
		out = h.err
	}
	r := progress.NewReport(out)
	vars, err := o.vars()
	if err != nil {
		return err
	}
	if err := o.settle(); err != nil {
		return err
	}
	files, err := o.take(ctx, r)
	if err != nil {
		return err
	}
	defer files.Close()
	if len(vars) > 0 {
		r.Warn("the values of %s are on the disk as they are: whoever has the disk can read them", strings.Join(slices.Sorted(maps.Keys(vars)), ", "))
	}
	log, err := logger(h.err, "warn")
	if err != nil {
		return err
	}
	list, err := o.build(ctx, files, vars, r, log)
	if err != nil {
		return err
	}
	for _, p := range list.Parts {
		r.Detail("%s", p)
	}
	r.Done("%s boots %s, which listens on port %d. To try it:", o.out, list.App, list.Port)
	r.Detail("%s", qemuLine(o.out, list))
	if o.json {
		return printJSON(h.out, list)
	}
	return nil
}

// qemuLine is what boots the disk with QEMU.
func qemuLine(file string, l bootdisk.List) string {
	drive := fmt.Sprintf("file=%s,format=%s,if=virtio", strings.ReplaceAll(file, ",", ",,"), l.Format)
	if quoted, err := syntax.Quote(drive, syntax.LangPOSIX); err == nil {
		drive = quoted
	}
	return fmt.Sprintf("qemu-system-x86_64 %s-m 256 -nographic -drive %s "+
		"-nic user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:%d-:%d", accelerated(), drive, l.Port, l.Port)
}

// virtualises matches the /proc/cpuinfo of a processor that can virtualise.
var virtualises = regexp.MustCompile(`(?m)^flags\s*:.*\b(vmx|svm)\b`)

// accelerated is QEMU's option for KVM, where that works. A container may show /dev/kvm without a processor that can
// virtualise, and QEMU then hangs.
func accelerated() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || !virtualises.Match(text) || unix.Access("/dev/kvm", unix.R_OK|unix.W_OK) != nil {
		return ""
	}
	return "-accel kvm "
}

func (o *imageOptions) vars() (map[string]string, error) {
	if o.env == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.env)
	if err != nil {
		return nil, err
	}
	vars, err := dotenv.Parse(string(text))
	if err == nil {
		err = core.CheckVars(vars)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.env, err)
	}
	return vars, nil
}

// take takes the files of the folder, and says which.
func (o *imageOptions) take(ctx context.Context, r *progress.Report) (worktree.Snapshot, error) {
	files, err := worktree.Take(ctx, o.dir, worktree.Options{Dirty: o.dirty, Ignore: o.own()})
	if err != nil {
		return files, err
	}
	if files.Known {
		r.Step("Taking commit %.10s of %s", files.Commit, o.dir)
	} else {
		r.Step("Taking the files in %s as they are", o.dir)
	}
	if n := len(files.Changed); n > 0 {
		const shown = 3
		names := strings.Join(files.Changed[:min(n, shown)], ", ")
		if n > shown {
			names += ", …"
		}
		r.Warn("%d files differ from the commit and are not in the image (%s): commit them, or add --dirty", n, names)
	}
	return files, nil
}

// own is what this command writes in the folder: it is no part of the app.
func (o *imageOptions) own() []string {
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil
	}
	out, err := filepath.Abs(o.out)
	if err != nil {
		return nil
	}
	rel, err := filepath.Rel(dir, out)
	if err != nil || !filepath.IsLocal(rel) {
		return nil
	}
	return []string{rel, rel + listSuffix}
}

// settle fills in what was left open: the app's name, the file, its form.
func (o *imageOptions) settle() error {
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return fmt.Errorf("%w: name the folder of an app", err)
	}
	defer root.Close()
	if o.name == "" {
		o.name = o.guessName(root)
	}
	if err := core.CheckName(o.name); err != nil {
		return fmt.Errorf("%w; choose one with --name", err)
	}
	if err := o.settleForm(); err != nil {
		return err
	}
	if info, err := os.Stat(filepath.Dir(o.out)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s for the disk: make it, or name another file with -o", filepath.Dir(o.out))
	}
	return o.checkHost()
}

// settleForm fills in the file's name and its form, each by the other.
func (o *imageOptions) settleForm() error {
	if o.out == "" {
		o.out = o.name + ".img"
		if o.format == bootdisk.QCOW2 {
			o.out = o.name + ".qcow2"
		}
	}
	if o.format == "" {
		o.format = bootdisk.FormatOf(o.out)
	}
	return bootdisk.CheckFormat(o.format)
}

// maxPackage bounds what is read of a package.json, in bytes.
const maxPackage = 1 << 20

// notInName is what an app's name cannot have.
var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// guessName makes a name of what package.json says, or of the folder's.
func (o *imageOptions) guessName(root *os.Root) string {
	var pkg struct{ Name string }
	if f, err := root.Open(nodeapp.PackageFile); err == nil {
		json.NewDecoder(io.LimitReader(f, maxPackage)).Decode(&pkg) //nolint:errcheck // the build says what is wrong with it
		f.Close()
	}
	folder, err := filepath.Abs(o.dir)
	if err != nil {
		folder = ""
	}
	return appNameOf(pkg.Name, folder)
}

// appNameOf is the first of the package's name, without its scope, and the folder's that an app can have.
func appNameOf(pkg, folder string) string {
	for _, name := range []string{path.Base(pkg), filepath.Base(folder)} {
		name = strings.Trim(notInName.ReplaceAllString(strings.ToLower(name), "-"), "-")
		if core.CheckName(name) == nil {
			return name
		}
	}
	return "app"
}

// checkHost says what this host lacks, before anything is built.
func (o *imageOptions) checkHost() error {
	var missing []string
	needed := map[string]string{"git": "git", "mkfs.erofs": "erofs-utils"}
	if o.format == bootdisk.QCOW2 {
		needed["qemu-img"] = "qemu-utils"
	}
	for program, pkg := range needed {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return fmt.Errorf("this host lacks what makes a disk: apt install %s", strings.Join(missing, " "))
}

// build makes the image and its disk, and removes what earlier ones have left.
func (o *imageOptions) build(ctx context.Context, files worktree.Snapshot, vars map[string]string, r *progress.Report, log zerolog.Logger) (bootdisk.List, error) {
	state := core.StateDir(o.state)
	if err := state.Create(); err != nil {
		return bootdisk.List{}, fmt.Errorf("%w; choose another folder with --state", err)
	}
	unlock, err := filelock.Take(ctx, filepath.Join(o.state, ".lock"), func() { r.Detail("waiting for another gitd image") })
	if err != nil {
		return bootdisk.List{}, err
	}
	defer unlock()
	b, _, err := o.builder(nil, packerWalls(ctx), log)
	if err != nil {
		return bootdisk.List{}, err
	}
	rel := core.Release{App: o.name}
	if files.Known {
		rel.Commit = files.Commit
	}
	rel.Manifest, err = b.Build(ctx, image.Source{App: o.name, Repo: files.Repo, Commit: files.Commit, Dir: o.folder}, r)
	if err != nil {
		return bootdisk.List{}, err
	}
	for _, t := range rel.Manifest.Types {
		r.Warn("the disk starts web alone: %s of the Procfile runs nowhere", t.Name)
	}
	list, err := o.write(ctx, r, rel, vars)
	return list, errors.Join(err, o.sweep(rel.Manifest))
}

// sweep removes the layers and bases of other images: there is no ledger that knows them.
func (o *imageOptions) sweep(m core.Manifest) error {
	state, shelf := core.StateDir(o.state), &image.Shelf{}
	w := shelf.Sweep()
	defer w.End()
	w.Keep(m.Files()...)
	_, err := image.OpenLayers(state).Sweep(w)
	_, baseErr := base.New(base.Config{State: state}).Sweep(w)
	return errors.Join(err, baseErr)
}

// listSuffix is what the name of the list of a disk's parts ends with, after the disk's own name.
const listSuffix = ".json"

// write writes the disk and its list.
func (o *imageOptions) write(ctx context.Context, r *progress.Report, rel core.Release, vars map[string]string) (list bootdisk.List, err error) {
	r.Step("Writing %s", o.out)
	state := core.StateDir(o.state)
	start, err := bootdisk.Start(rel, vars)
	if err != nil {
		return list, err
	}
	d, err := bootdisk.Make(state, rel.Manifest, start)
	if errors.Is(err, bootdisk.ErrOldBase) {
		err = fmt.Errorf("%w: `gitd base:build --kernel minimal` compiles a new kernel in ten minutes, and --kernel stock takes Debian's", err)
	}
	if err != nil {
		return list, err
	}
	defer d.Close()
	parts, err := d.Create(ctx, o.out, o.format)
	if err != nil {
		return list, err
	}
	if list, err = bootdisk.ListOf(state, rel, vars, d, o.format, parts); err != nil {
		return list, err
	}
	text, err := list.JSON()
	if err != nil {
		return list, err
	}
	return list, renameio.WriteFile(o.out+listSuffix, text, 0o644)
}

// packerWalls stand around the packer of an image that a person builds; nil: there are none here. Root has none: in a
// user namespace, root may not read what a build's user has written.
func packerWalls(ctx context.Context) *walls.Walls {
	if os.Geteuid() == 0 {
		return nil
	}
	w, err := walls.New(ctx)
	if err != nil {
		return nil // the builder says so, of its sandbox
	}
	return w
}
