package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// furnish makes the folder of this gitd there, with gitd-machine in it.
func (h *Host) furnish(ctx context.Context, c *conn) (err error) {
	for _, dir := range []string{"", "layers", "bases", "machines", "programs"} {
		if err := c.MkdirAll(filepath.Join(h.Root, dir)); err != nil {
			return &core.Rejection{
				Reason: fmt.Sprintf("gitd may not make its folder %s on %s: %v", h.Root, h.target.Host, err),
				Hint:   "machines need files of several users there, so log in as root: --libvirt qemu+ssh://root@" + h.target.Host + "/system", Err: err,
			}
		}
	}
	for _, dir := range []string{parent, h.Root, filepath.Join(h.Root, "machines")} {
		if err := c.Chmod(dir, 0o711); err != nil {
			return err
		}
	}
	if h.uid, h.gid, err = h.user(c); err != nil {
		return err
	}
	if h.CPUInfo, err = read(c, "/proc/cpuinfo"); err != nil {
		return err
	}
	return h.putProgram(ctx, c)
}

// mostRead bounds what is read of a host that may be hostile.
const mostRead = 1 << 20

// read reads a small file. Files of /proc have no size.
func read(c *conn, path string) ([]byte, error) {
	f, err := c.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(struct{ io.Reader }{f}, mostRead))
}

// user finds the ids of QEMU there.
func (h *Host) user(c *conn) (uid, gid int, err error) {
	text, err := read(c, "/etc/passwd")
	if err != nil {
		return 0, 0, err
	}
	uid, gid, ok := findUser(string(text), qemuUser)
	if !ok {
		return 0, 0, core.Reject(fmt.Sprintf("%s has no user %s, as whom its libvirt runs machines", h.target.Host, qemuUser), h.install())
	}
	return uid, gid, nil
}

func findUser(passwd, name string) (uid, gid int, ok bool) {
	for line := range strings.Lines(passwd) {
		f := strings.Split(line, ":")
		if len(f) < 4 || f[0] != name {
			continue
		}
		uid, errUser := strconv.Atoi(f[2])
		gid, errGroup := strconv.Atoi(f[3])
		return uid, gid, errUser == nil && errGroup == nil && uid > 0
	}
	return 0, 0, false
}

// install is the line to type on a host where something is missing.
func (h *Host) install() string {
	return "on " + h.target.Host + ", type: apt install libvirt-daemon-system " + h.Package
}

// putProgram puts gitd-machine there: it is of this gitd's version, whatever is installed there. What a QEMU can do,
// libvirt keeps by the path of its emulator, so another QEMU gets another path.
func (h *Host) putProgram(ctx context.Context, c *conn) error {
	qemu, err := c.Stat(h.QEMU)
	if err != nil {
		return &core.Rejection{Reason: fmt.Sprintf("%s has no QEMU at %s: %v", h.target.Host, h.QEMU, err), Hint: h.install(), Err: err}
	}
	program, err := os.ReadFile(h.Config.Program)
	if err != nil {
		return fmt.Errorf("gitd-machine, which starts each machine, is missing: %w; `make build` puts it beside gitd", err)
	}
	sum := sha256.Sum256(fmt.Appendf(program, " %s %d %d", h.QEMU, qemu.Size(), qemu.ModTime().Unix()))
	h.emulator = filepath.Join(h.Root, "programs", "qemu-"+hex.EncodeToString(sum[:8]))
	if there, err := c.Stat(h.emulator); err == nil && there.Size() == int64(len(program)) {
		return nil
	}
	return c.put(ctx, h.emulator, bytes.NewReader(program), int64(len(program)), 0o755)
}

// Path is where a file of the state folder is on the other host. The folder of a machine has a short name there: the
// path of a unix socket has at most 107 bytes.
func (h *Host) Path(here string) string {
	if h == nil {
		return here
	}
	rest, ok := strings.CutPrefix(here, string(h.State)+"/")
	if !ok {
		return here
	}
	if id, ok := strings.CutPrefix(rest, "machines/"); ok {
		id, file, _ := strings.Cut(id, "/")
		return filepath.Join(h.machine(id), file)
	}
	return filepath.Join(h.Root, rest)
}

func (h *Host) machine(id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(h.Root, "machines", hex.EncodeToString(sum[:8]))
}

// Bring puts the files of a machine there that are missing. They are named by their content and never change, so that
// one with the same size is the same. What is not kept here any more is removed there.
func (h *Host) Bring(ctx context.Context, spec core.MachineSpec) error {
	if h == nil {
		return nil
	}
	files := []string{spec.Kernel}
	if spec.Initrd != "" {
		files = append(files, spec.Initrd)
	}
	for _, d := range spec.Disks {
		if d.Writable {
			return core.Reject(fmt.Sprintf("the app has a volume, and its machine would run on %s: volumes are on this host only", h.target.Host),
				"run gitd on that host itself, or its machines on this one; or remove the volume: volumes:remove")
		}
		files = append(files, d.Path)
	}
	c, err := h.take(ctx)
	if err != nil {
		return err
	}
	h.bringing.Lock()
	defer h.bringing.Unlock()
	if err := h.sweep(c); err != nil {
		h.Log.Warn().Err(err).Str("host", h.target.Host).Msg("layers that nobody needs stay there")
	}
	for _, f := range files {
		if err := h.bring(ctx, c, f); err != nil {
			return fmt.Errorf("copy %s to %s: %w", f, h.target.Host, err)
		}
	}
	return nil
}

func (h *Host) bring(ctx context.Context, c *conn, file string) error {
	to := h.Path(file)
	if to == file {
		return fmt.Errorf("it is not in the state folder %s", h.State)
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if there, err := c.Stat(to); err == nil && there.Size() == info.Size() {
		return nil
	}
	if err := c.MkdirAll(filepath.Dir(to)); err != nil {
		return err
	}
	return c.put(ctx, to, f, info.Size(), 0o644)
}

// sweep removes layers and bases that are not in the state folder any more. A machine that runs keeps its files here,
// so it keeps them there.
func (h *Host) sweep(c *conn) (err error) {
	for _, dir := range []string{"layers", "bases"} {
		there, e := c.ReadDir(filepath.Join(h.Root, dir))
		err = errors.Join(err, e)
		for _, f := range there {
			if _, e := os.Stat(filepath.Join(string(h.State), dir, f.Name())); errors.Is(e, os.ErrNotExist) {
				err = errors.Join(err, c.RemoveAll(filepath.Join(h.Root, dir, f.Name())))
			}
		}
	}
	return err
}
