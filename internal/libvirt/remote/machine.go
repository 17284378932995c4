package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/nodeos-dev/gitd/internal/jail"
)

// Prepare makes the folder of a machine there: with its walls, of which this host has a copy with its own paths, and
// the file of its console. QEMU's user opens the doors in it. It returns where the walls are.
func (h *Host) Prepare(ctx context.Context, id, walls string) (there string, err error) {
	if h == nil {
		return walls, nil
	}
	spec, err := jail.Load(walls)
	if err != nil {
		return "", err
	}
	for i := range spec.Files {
		spec.Files[i].Path = h.Path(spec.Files[i].Path)
	}
	for _, door := range []*string{&spec.App, &spec.Ports, &spec.Control} {
		*door = h.Path(*door)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return "", err
	}
	c, err := h.take(ctx)
	if err != nil {
		return "", err
	}
	dir := h.machine(id)
	if err := c.Mkdir(dir); err != nil {
		return "", err
	}
	there = h.Path(walls)
	return there, errors.Join(c.put(ctx, there, bytes.NewReader(text), int64(len(text)), 0o644),
		c.put(ctx, filepath.Join(dir, consoleLog), bytes.NewReader(nil), 0, 0o600),
		c.Chmod(dir, 0o711), c.Chown(dir, h.uid, h.gid))
}

// Reach opens, in the state folder of this host, what leads to the doors of a machine.
func (h *Host) Reach(ctx context.Context, id string) error {
	if h == nil {
		return nil
	}
	c, err := h.take(ctx)
	if err != nil {
		return err
	}
	if err := c.carry(ctx, h.doorsOf(id)); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.doors[id] = true
	return nil
}

// carryAll is Reach for all machines, by a new connection.
func (h *Host) carryAll(ctx context.Context, c *conn) error {
	h.mu.Lock()
	all := map[string]string{}
	for id := range h.doors {
		maps.Copy(all, h.doorsOf(id))
	}
	h.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	return c.carry(ctx, all)
}

// doorsOf are the doors of a machine: here, and there. One that the machine does not have leads nowhere.
func (h *Host) doorsOf(id string) map[string]string {
	doors := map[string]string{}
	for _, name := range []string{"app", "tcp", "net"} {
		here := filepath.Join(h.State.Machine(id), name)
		doors[here] = h.Path(here)
	}
	return doors
}

// removeTime is for a machine's folder there. A host that is away keeps it until Keep.
const removeTime = 5 * time.Second

// Remove removes the folder of a machine there.
func (h *Host) Remove(id string) error {
	if h == nil {
		return nil
	}
	h.mu.Lock()
	c, had := h.now, h.doors[id]
	delete(h.doors, id)
	h.mu.Unlock()
	if c == nil {
		return nil // Keep removes it
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	if had {
		if err := c.uncarry(ctx, h.doorsOf(id)); err != nil {
			h.Log.Debug().Err(err).Str("machine", id).Msg("the way to a machine that has ended stays until the connection does")
		}
	}
	if err := c.RemoveAll(h.machine(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		h.Log.Warn().Err(err).Str("machine", id).Str("host", h.target.Host).Msg("its folder there stays until gitd starts again")
	}
	return nil
}

// Keep removes the folders there of all machines but these.
func (h *Host) Keep(ctx context.Context, ids []string) error {
	if h == nil {
		return nil
	}
	c, err := h.take(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, id := range ids {
		keep[filepath.Base(h.machine(id))] = true
	}
	all, err := c.ReadDir(filepath.Join(h.Root, "machines"))
	for _, f := range all {
		if !keep[f.Name()] {
			err = errors.Join(err, c.RemoveAll(filepath.Join(h.Root, "machines", f.Name())))
		}
	}
	return err
}

const consoleLog = "console.log"

// Console is the log of a machine's serial port.
type Console struct {
	h    *Host
	file string
}

// Console implements console.Far for a machine.
func (h *Host) Console(id string) Console {
	return Console{h, filepath.Join(h.machine(id), consoleLog)}
}

func (l Console) conn() (*conn, error) {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	if l.h.now == nil {
		return nil, ErrAway
	}
	return l.h.now, nil
}

// Fetch implements console.Far.
func (l Console) Fetch(path string, most int64) error {
	c, err := l.conn()
	if err != nil {
		return err
	}
	f, err := c.Open(l.file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-most), most))
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// Trim implements console.Far. A host that is away is asked again later.
func (l Console) Trim(limit int64) (emptied bool, err error) {
	c, err := l.conn()
	if err != nil {
		return false, nil //nolint:nilerr // there will be another look
	}
	info, err := c.Stat(l.file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return false, nil
	case err != nil || info.Size() <= limit:
		return false, err
	}
	return true, c.Truncate(l.file, 0)
}
