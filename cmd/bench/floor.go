package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/jail"
)

// appPort is where apps listen in their machines.
const appPort = 8080

// commandLine is that of the QEMU of an app's machine.
func (g *gitd) commandLine(app string) ([]string, error) {
	pid, err := g.qemu(app)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"), nil
}

// qemu is the process of an app's newest machine, inside its walls.
func (g *gitd) qemu(app string) (newest int, err error) {
	dirs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, name := range dirs {
		text, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) || err != nil {
			continue // it has ended
		}
		line := string(text)
		if strings.HasPrefix(filepath.Base(strings.SplitN(line, "\x00", 2)[0]), "qemu-system") &&
			strings.Contains(line, "guest="+app+"-") && strings.Contains(line, g.state+"/bases/") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			if err != nil {
				return 0, err
			}
			newest = max(newest, pid)
		}
	}
	if newest == 0 {
		return 0, fmt.Errorf("no QEMU runs a machine of %s", app)
	}
	return newest, nil
}

// floor is what no deployment into a machine can be faster than: the command line of an app's machine by itself,
// without libvirt, walls and gateway. It has the same kernel, disks and devices, and QEMU's own network.
type floor struct {
	args    []string
	channel string // socket
	port    int
}

var (
	mtu    = regexp.MustCompile(`,host_mtu=[0-9]+`)
	driven = regexp.MustCompile(`^(-S|-no-shutdown)$`)
	// memoryOf leads to the memory that is made beside the machine.
	memoryOf = regexp.MustCompile(`,memory-backend=[^,]+`)
)

// newFloor takes from the command line what leads to libvirt and to gitd.
func (b *bench) newFloor(line []string) (floor, error) {
	port, err := freePort()
	if err != nil {
		return floor{}, err
	}
	f := floor{channel: filepath.Join(b.run, "channel"), port: port}
	for i := 0; i < len(line); i++ {
		word, value := line[i], ""
		if driven.MatchString(word) {
			continue
		}
		if i > 0 && i+1 < len(line) && !strings.HasPrefix(line[i+1], "-") {
			value = line[i+1]
			i++
		}
		switch {
		case strings.Contains(value, `"qom-type":"secret"`), strings.Contains(value, "charmonitor"), word == "-add-fd", word == "-sandbox":
			continue
		case strings.HasPrefix(value, "file,id=charserial0"):
			value = "file,id=charserial0,path=" + filepath.Join(b.run, "console")
		case strings.HasPrefix(value, "socket,id=charchannel0"):
			value = "socket,id=charchannel0,server=on,wait=off,path=" + f.channel
		case word == "-netdev" && strings.Contains(value, strconv.Itoa(jail.FramesFD)):
			value = fmt.Sprintf("user,id=n0,hostfwd=tcp:127.0.0.1:%d-:%d", port, appPort)
		}
		f.args = append(f.args, word)
		if value != "" {
			f.args = append(f.args, mtu.ReplaceAllString(value, ""))
		}
	}
	return f, nil
}

// booted is one boot.
type booted struct {
	total  float64 // from QEMU's start to the first answer, in seconds
	memory float64 // of QEMU then, in MiB
	steps  []core.Step
}

// boot boots the app once, asks it, and ends it.
func (f floor) boot(ctx context.Context, b *bench) (_ booted, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	if err := os.RemoveAll(f.channel); err != nil {
		return booted{}, err
	}
	begun := time.Now()
	qemu, err := b.start("floor", f.args...)
	if err != nil {
		return booted{}, err
	}
	defer func() { err = errors.Join(err, qemu.end()) }()
	conn, err := f.connect(ctx, qemu)
	if err != nil {
		return booted{}, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	got, err := f.converse(conn)
	if err != nil {
		return booted{}, fmt.Errorf("%w: %s has what QEMU said", err, qemu.log)
	}
	if _, err := (target{addr: fmt.Sprintf("127.0.0.1:%d", f.port)}).get(ctx); err != nil {
		return booted{}, err
	}
	got.total = time.Since(begun).Seconds()
	got.memory, err = pss(qemu.Process.Pid)
	return got, err
}

// connect waits for the channel's socket.
func (f floor) connect(ctx context.Context, qemu *process) (net.Conn, error) {
	for {
		conn, err := net.Dial("unix", f.channel)
		if err == nil {
			return conn, nil
		}
		select {
		case <-qemu.exited:
			return nil, fmt.Errorf("QEMU ended: %s has what it said", qemu.log)
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), err)
		case <-time.After(time.Millisecond):
		}
	}
}

// converse is gitd's part of the conversation, as far as a boot needs it.
func (f floor) converse(conn net.Conn) (got booted, err error) {
	w, r := guest.NewWriter(conn), guest.NewReader(conn)
	if err := w.Write(guest.Message{Kind: guest.KindHello}); err != nil {
		return got, err
	}
	var kernel, disks int
	for {
		m, err := r.Read()
		if err != nil {
			return got, err
		}
		switch {
		case m.Kind == guest.KindBooted && disks == 0:
			kernel, disks = m.Booted.KernelMillis, m.Booted.InitMillis
			if err := w.Write(guest.Message{Kind: guest.KindStart, Start: f.app()}); err != nil {
				return got, err
			}
		case m.Kind == guest.KindListening && m.Listening != nil:
			l := m.Listening
			got.steps = []core.Step{
				{Name: "kernel", Took: millis(kernel)}, {Name: "init", Took: millis(l.StartMillis - kernel)},
				{Name: "Node", Took: millis(l.CodeMillis - l.StartMillis)}, {Name: "app", Took: millis(l.ListenMillis - l.CodeMillis)},
			}
			return got, nil
		case m.Kind == guest.KindExited || m.Kind == guest.KindFailed:
			return got, fmt.Errorf("the app ended: %+v %s", m.Exited, m.Failed)
		}
	}
}

func millis(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// app is the start of a starter app, as gitd would have it.
func (f floor) app() *guest.Start {
	return &guest.Start{
		Args: []string{"node", "server.js"}, Port: appPort, Hostname: "bench", UnixNano: time.Now().UnixNano(),
		Env:     []string{"PATH=/app/node_modules/.bin:/usr/bin", "HOME=/app", "NODE_ENV=production", "PORT=" + strconv.Itoa(appPort), "NODEOS_RELEASE=0"},
		Network: guest.Network{Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3"}},
	}
}

// pss is what a process has for itself, and its share of what others have too, in MiB.
func pss(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "Pss:" {
			kib, err := strconv.ParseFloat(words[1], 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("smaps_rollup has no Pss")
}
