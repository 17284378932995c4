// Package remote has machines on another host, to which OpenSSH's client leads, as it leads libvirt there.
//
// It owns the connection, what is kept on that host for machines, and the ways to their doors: for each machine, unix
// sockets in the state folder of this host stand for those on the other one. It does not own the machines, nor
// libvirt's connections, nor who may log in: that is ssh's configuration, its keys and its known hosts.
package remote

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/background"
	"github.com/nodeos-dev/gitd/internal/core"
)

// ErrAway says that the other host cannot be reached.
var ErrAway = errors.New("the host of the machines is away")

const (
	awayLimit  = 30 * time.Second // how long a call waits for a host that is away, as for libvirt
	firstPause = 50 * time.Millisecond
	mostPause  = 2 * time.Second

	parent   = "/var/lib/gitd-machines" // on the other host; in it, each gitd has a folder
	qemuUser = "libvirt-qemu"           // as whom Debian's libvirt runs QEMU
)

// Config says whose machines these are.
type Config struct {
	State   core.StateDir // its path is absolute
	Program string        // gitd-machine, which is put there
	QEMU    string        // its path on the other host
	Package string        // Debian's, which has it
	Log     zerolog.Logger
}

// Host is the other host. A nil Host is this one: machines run where their files are, and its methods change nothing.
type Host struct {
	Config
	Root    string // the folder of this gitd there
	CPUInfo []byte // what its kernel says of its processors

	emulator string // gitd-machine there
	target   *Target
	uid, gid int // of QEMU there
	work     *background.Work

	bringing sync.Mutex // one copy of each file

	mu    sync.Mutex // guards what follows
	now   *conn      // nil: the host is away
	back  chan struct{}
	since time.Time
	why   string
	doors map[string]bool // the machines that have some
}

// Open logs in, and finds or puts there what machines need.
func Open(ctx context.Context, t *Target, cfg Config) (*Host, error) {
	h := &Host{Config: cfg, target: t, work: background.New(), doors: map[string]bool{}, back: make(chan struct{})}
	var err error
	if h.Root, err = Root(cfg.State); err != nil {
		return nil, err
	}
	if n := len(h.control()); n > mostControl {
		return nil, fmt.Errorf("the path %s has %d bytes, and ssh takes %d: choose a shorter --state", h.control(), n, mostControl)
	}
	c, err := connect(ctx, t, h.control())
	if err != nil {
		return nil, err
	}
	if err := h.furnish(ctx, c); err != nil {
		c.close()
		return nil, err
	}
	h.enter(c)
	return h, nil
}

// mostControl is the length of a control socket's path: OpenSSH makes it under a longer name first.
const mostControl = 107 - 18

func (h *Host) control() string {
	return filepath.Join(h.State.Libvirt(), fmt.Sprintf("ssh-%d", os.Getpid()))
}

// Root is the folder of a state folder on other hosts. Its name is chosen once, and no other gitd has it.
func Root(state core.StateDir) (string, error) {
	file := filepath.Join(state.Libvirt(), "remote-id")
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		id := make([]byte, 8)
		rand.Read(id)
		text = []byte(hex.EncodeToString(id) + "\n")
		err = os.WriteFile(file, text, 0o600)
	}
	id := strings.TrimSpace(string(text))
	if _, wrong := hex.DecodeString(id); err == nil && (wrong != nil || len(id) != 16) {
		err = fmt.Errorf("%s is damaged: it names the folder of this gitd on other hosts", file)
	}
	return filepath.Join(parent, id), err
}

// Program is what libvirt starts there in place of QEMU; empty: what it starts on this host.
func (h *Host) Program() string {
	if h == nil {
		return ""
	}
	return h.emulator
}

// enter gives c to the calls, and watches it.
func (h *Host) enter(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = c
	close(h.back)
	h.work.Go(func(ctx context.Context) {
		select {
		case <-c.done:
			h.restore(ctx, c)
		case <-ctx.Done():
		}
	})
}

// restore takes the place of a lost connection.
func (h *Host) restore(ctx context.Context, lost *conn) {
	lost.close()
	h.mu.Lock()
	h.now, h.back, h.since, h.why = nil, make(chan struct{}), time.Now(), "the connection ended: "+lost.stderr.String()
	why := h.why
	h.mu.Unlock()
	h.Log.Warn().Str("host", h.target.Host).Str("because", why).Msg("the way to the machines is lost; they go on, and gitd connects again by itself")
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		c, err := connect(ctx, h.target, h.control())
		if err == nil {
			if err = h.carryAll(ctx, c); err == nil {
				h.Log.Info().Str("host", h.target.Host).Dur("away", time.Since(h.since)).Msg("the way to the machines is back")
				h.enter(c)
				return
			}
			c.close()
		}
		if h.note(err) {
			h.Log.Warn().Err(err).Msg("the host of the machines is still away")
		}
		if background.Sleep(ctx, pause) != nil {
			return
		}
	}
}

// note reports whether err is news.
func (h *Host) note(err error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := h.why != err.Error()
	h.why = err.Error()
	return news
}

// take returns the connection. While the host is away, it waits.
func (h *Host) take(ctx context.Context) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, awayLimit)
	defer cancel()
	for {
		h.mu.Lock()
		c, back := h.now, h.back
		h.mu.Unlock()
		if c != nil {
			return c, nil
		}
		select {
		case <-back:
		case <-h.work.Context().Done():
			return nil, h.work.Context().Err()
		case <-ctx.Done():
			why, _ := h.Away()
			return nil, &core.Rejection{
				Reason: fmt.Sprintf("the host %s is away: %s", h.target.Host, why),
				Hint:   "try again, for a release push again, once it is back: gitd connects to it by itself", Err: errors.Join(ErrAway, ctx.Err()),
			}
		}
	}
}

// Away says why the host cannot be reached, and since when. An empty text says that it can.
func (h *Host) Away() (why string, since time.Time) {
	if h == nil {
		return "", time.Time{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now != nil {
		return "", time.Time{}
	}
	return h.why, h.since
}

// Settle ends the attempts to connect again, and leaves what is carried as it is: until this process ends, or Close.
func (h *Host) Settle() {
	if h != nil {
		h.work.Close()
	}
}

// Close lets the connection end, once requests that it carries have.
func (h *Host) Close() {
	if h == nil {
		return
	}
	h.Settle()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.now != nil {
		h.now.close()
		h.now = nil
	}
}
