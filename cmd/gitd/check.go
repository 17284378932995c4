package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/base"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/syslog"
)

// longestSocket is the longest path of a unix socket that Linux takes, in bytes.
const longestSocket = 107

// checked is what was found out about a flag; nil: it can work.
type checked struct {
	flag string
	err  error
}

// check refuses flags of `gitd serve` that cannot work, before anything is made or changed. What only the running parts
// know (does KVM work, what does the host have) they refuse themselves, also at the start.
func (o *options) check(flags *pflag.FlagSet) error {
	return o.firstWrong(flags, slices.Concat(o.receivers.checks(), o.builderChecks(), o.quotas.checks(), o.front.checks(), o.byTCP.checks(), o.https.checks(flags), o.watch.checks(), []checked{
		{"state", o.checkState()},
		{"ssh", checkAddress(o.ssh, ":2222")},
		{"http", checkAddress(o.http, ":8080")},
		{"domain", core.CheckDomain(o.domain)},
		{"memory", o.checkMemory()},
		{"keep", notBelowZero(o.keep)},
		{"builds", notBelowZero(o.parallel)},
		{"boot-timeout", checkDuration(o.bootLimit)},
		{"max-connections", notBelowZero(o.conns.Conns)},
		{"max-connections-from", notBelowZero(o.conns.ConnsFrom)},
		{"drain-timeout", checkDuration(o.drainLimit)},
		{"hold-timeout", checkDuration(o.holdLimit)},
		{"stop-grace", checkDuration(o.stopGrace)},
		{"claim-expires", checkDuration(o.people.claimFor)},
		{"login-timeout", checkDuration(o.people.loginTimeout)},
		{"idle-timeout", checkDuration(o.people.idleTimeout)},
		{"libvirt", checkURL(o.libvirt, "qemu:///system")},
		{"max-sessions-per-user", notBelowZero(o.people.sessions)},
		{"audit-syslog", checkSyslog(o.syslog)},
		{"allow-egress", o.network.checkRules()},
		{"egress-rate", o.network.checkRate()},
		{"spares", o.spares.check(flags)},
		{"keep-warm", o.warm.check()},
		{"sleep-after", o.sleep.check()},
		{"ssh-host", checkSSHHost(o.people.sshHost)},
	}, o.byBridge.checks(flags, o.libvirt, &o.network.egress)))
}

// builderChecks are those of the flags of every command that builds.
func (o *options) builderChecks() []checked {
	return append(o.trust.checks(), []checked{
		{"registry", checkURL(o.registry, "https://npm.example.org/", "http", "https")},
		{"kernel", o.checkKernel()},
		{"build-timeout", checkDuration(o.buildLimit)},
	}...)
}

func (o *options) firstWrong(flags *pflag.FlagSet, all []checked) error {
	o.flags = flags
	for _, c := range all {
		if c.err != nil {
			return o.refused(c.flag, c.err)
		}
	}
	return nil
}

// refused names the flag, or its variable, as it was given.
func (o *options) refused(name string, err error) error {
	f := o.flags.Lookup(name)
	given := fmt.Sprintf("--%s %s", name, f.Value)
	if from := f.Annotations[variable]; len(from) > 0 {
		given = fmt.Sprintf("%s=%s", from[0], f.Value)
	}
	var r *core.Rejection
	if !errors.As(err, &r) {
		return fmt.Errorf("%s: %w", given, err)
	}
	return &core.Rejection{Reason: given + ": " + r.Reason, Hint: r.Hint, Err: err}
}

func (o *options) checkState() error {
	if socket := core.StateDir(o.state).Socket(); len(socket) > longestSocket {
		return core.Reject(fmt.Sprintf("the path %s has %d bytes, and the system takes %d", socket, len(socket), longestSocket),
			"choose a shorter --state")
	}
	return libvirt.CheckState(o.libvirt, core.StateDir(o.state))
}

func (o *options) checkMemory() error {
	if o.memory == 0 {
		return core.Reject("a machine needs memory", "give it in MiB, for example --memory 128")
	}
	return core.CheckResources(o.defaults())
}

func (o *options) checkKernel() error {
	_, err := base.ParseKernelChoice(o.kernel)
	return err
}

func checkAddress(address, example string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", cmp.Or(port, "none"))
	}
	if err == nil {
		return nil
	}
	if _, number := strconv.ParseUint(address, 10, 16); number == nil {
		example = ":" + address
	}
	return core.Reject("that is no address of a door", "write HOST:PORT, or :PORT for all addresses of the host, for example "+example)
}

func checkSyslog(address string) error {
	if address == "" {
		return nil
	}
	if _, err := syslog.ParseAddress(address); err != nil {
		return core.Reject("that is no address of a syslog receiver", "write udp://HOST:514, tcp://HOST:514 or unix:///dev/log")
	}
	return nil
}

func notBelowZero(n int) error {
	if n < 0 {
		return core.Reject("a number below zero has no meaning here", "give 0 or more")
	}
	return nil
}

func checkDuration(d time.Duration) error {
	if d <= 0 {
		return core.Reject("a time must be longer than zero", "give a number with its unit, for example 30s or 5m")
	}
	return nil
}

// checkURL takes an empty text: the default. Without schemes, every scheme is good.
func checkURL(text, example string, schemes ...string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	ok := err == nil && u.Scheme != ""
	if len(schemes) > 0 {
		ok = ok && u.Hostname() != "" && strings.Contains(" "+strings.Join(schemes, " ")+" ", " "+u.Scheme+" ")
	}
	if !ok {
		return core.Reject("that is no such URL", "write it whole, for example "+example)
	}
	return nil
}

// checkSSHHost takes an empty text: the door is named as each reader came.
func checkSSHHost(text string) error {
	if text == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), "22"
	}
	_, wrong := strconv.ParseUint(port, 10, 16)
	if wrong != nil || net.ParseIP(host) == nil && core.CheckDomain(strings.ToLower(host)) != nil {
		return core.Reject("that is no name of a host", "write HOST or HOST:PORT, without a scheme or a user, for example git.example.org:22")
	}
	return nil
}
