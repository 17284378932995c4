package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rs/zerolog"
	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/running"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// usedFile has the URI of the driver that ran machines of this state folder last, as it was given to gitd.
func (f machineFiles) usedFile() string { return filepath.Join(f.state.Libvirt(), "uri") }

// takeOver refuses to begin where machines of this state folder run on another driver: this one does not see them,
// would start their apps a second time, and two QEMUs would write to one volume. given is the URI as it was given to
// gitd.
func (d *Driver) takeOver(ctx context.Context, given string) error {
	before, err := os.ReadFile(d.usedFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	used := strings.TrimSuffix(string(before), "\n")
	if err == nil && used == given {
		return nil
	}
	others, err := others(ctx, d, used)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return fmt.Errorf("machines of this state folder still run on another libvirt driver than %s, and have their volumes: %s. "+
			"Stop them with it first: `gitd serve --state %[3]s --libvirt %[4]s`, and once it is ready `gitd halt --state %[3]s`; "+
			"then start this one again", driverName(given), strings.Join(others, ", "), shellWord(d.home), shellWord(used))
	}
	return nil
}

// remember notes the URI of the driver that runs the machines from now on.
func (f machineFiles) remember(given string, log zerolog.Logger) {
	if err := os.WriteFile(f.usedFile(), []byte(given+"\n"), 0o600); err != nil {
		log.Warn().Err(err).Msg("which libvirt driver is used is not remembered; the next start looks for other machines again")
	}
}

// others are the machines of d's state folder that run elsewhere: on this host, by its processes, and on the host that
// was used before, by its libvirt.
func others(ctx context.Context, d *Driver, used string) ([]string, error) {
	here, err := running.QEMUs(d.home)
	if err != nil {
		return nil, err
	}
	known, err := d.List(ctx)
	if err != nil {
		return nil, err
	}
	strange := slices.DeleteFunc(here, func(id string) bool {
		return slices.ContainsFunc(known, func(m core.Machine) bool { return m.ID == id })
	})
	if isLocal(used) {
		return strange, nil
	}
	remote, err := remoteMachines(ctx, d, used)
	return append(strange, remote...), err
}

// remoteMachines asks the libvirt of another host for machines of d's state folder.
func remoteMachines(ctx context.Context, d *Driver, uri string) (ids []string, err error) {
	whose, uri, err := ownerAt(uri, d.home)
	var conn *libvirt.Connect
	if err == nil {
		conn, err = session.Connect(ctx, uri)
	}
	if err != nil {
		return nil, fmt.Errorf("machines of this state folder may still run where they did before: %w; "+
			"if that host is gone for good, remove %s", err, d.usedFile())
	}
	machines, err := whose.list(conn, d.log)
	for _, m := range machines {
		ids = append(ids, m.ID)
	}
	_, closeErr := conn.Close()
	return ids, errors.Join(err, closeErr)
}

// driverName is a URI as people read it.
func driverName(uri string) string {
	if uri == "" {
		return "gitd's own"
	}
	return uri
}

// shellWord quotes what people are told to type.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
