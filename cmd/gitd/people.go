package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/people"
	"github.com/nodeos-dev/gitd/internal/server"
)

// peopleOptions are the flags that say who may log in, and how.
type peopleOptions struct {
	adminKeys    string
	trustedCA    string
	revoked      string
	sshHost      string
	claimFor     time.Duration
	sessions     int // of one user
	loginTimeout time.Duration
	idleTimeout  time.Duration
}

func (o *peopleOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.adminKeys, "admin-keys", "", "authorized_keys lines of the first administrators (best set as GITD_ADMIN_KEYS)")
	f.StringVar(&o.trustedCA, "trusted-user-ca", "", "file with the public keys of CAs and for whom their user certificates are good: cert-authority,principals=\"ada,sam\" KEY")
	f.StringVar(&o.revoked, "revoked-keys", "", "file with keys and certificates that may not log in: a KRL of ssh-keygen, or public keys, one a line")
	f.StringVar(&o.sshHost, "ssh-host", "", "HOST or HOST:PORT that people reach the SSH door at; empty: --domain, or as each of them came")
	f.DurationVar(&o.claimFor, "claim-expires", time.Hour, "how long the first person has to claim this gitd")
	f.IntVar(&o.sessions, "max-sessions-per-user", server.SessionsOf, "SSH sessions of one user, or of one deploy key, at once: commands, pushes and fetches; half of them may follow logs and the like")
	f.DurationVar(&o.loginTimeout, "login-timeout", time.Minute, "from connect to a proved key")
	f.DurationVar(&o.idleTimeout, "idle-timeout", 10*time.Minute, "for an SSH connection on which nothing happens")
}

// registerAdmins lets the keys of GITD_ADMIN_KEYS in, one on each line, if no administrator can log in yet.
func (o *peopleOptions) registerAdmins(ctx context.Context, known *people.Service, log zerolog.Logger) error {
	ignored, err := known.RegisterAdmins(ctx, o.adminKeys)
	if err != nil {
		return fmt.Errorf("GITD_ADMIN_KEYS, %w", err)
	}
	if ignored > 0 {
		log.Warn().Int("keys", ignored).Msg("GITD_ADMIN_KEYS names keys that are no administrator's, and is heeded only until one " +
			"can log in: gitd keys:add NAME --admin < KEY.pub")
	}
	return nil
}

// public returns the address of the SSH door that is good for everyone. It is the zero Door if only each client knows
// how it came.
func (o *options) public(ssh net.Addr) command.Door {
	_, port, err := net.SplitHostPort(ssh.String())
	if err != nil {
		return command.Door{}
	}
	switch host, own, err := net.SplitHostPort(o.people.sshHost); {
	case err == nil:
		return command.Door{Host: host, Port: own}
	case o.people.sshHost != "":
		return command.Door{Host: strings.Trim(o.people.sshHost, "[]"), Port: port}
	case o.domain != "localhost":
		return command.Door{Host: o.domain, Port: port}
	default:
		return command.Door{}
	}
}

// fromHost returns how the host itself reaches the SSH door: at its public address, if it has one.
func (o *options) fromHost(ssh net.Addr) command.Door {
	if d := o.public(ssh); d.Host != "" {
		return d
	}
	host, port, err := net.SplitHostPort(ssh.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = ownAddress()
	}
	return command.Door{Host: host, Port: port}
}

// ownAddress is the address with which this host reaches the internet, or localhost. Connecting a UDP socket asks the
// kernel for its route, and sends nothing.
func ownAddress() string {
	conn, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return "localhost"
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	if err != nil {
		return "localhost"
	}
	return host
}

// claim invites the first person, if nobody can log in yet. This makes the claim of an earlier start void.
func (d *daemon) claim(ctx context.Context, out io.Writer) error {
	known, err := d.people.HasKeys(ctx)
	if err != nil || known || d.trust.Certificates() {
		return err
	}
	line, i, err := d.openClaim(ctx)
	if err != nil {
		return err
	}
	d.log.Warn().Str("command", line).Strs("host_keys", d.svc.HostKeys).Time("until", i.Expires).Msg("nobody can log in yet: run the command to become administrator")
	fmt.Fprintf(out, "\nNobody can log in yet. Whoever runs this once, within %s, becomes administrator:\n\n  %s\n\n"+
		"(With your name behind it, you are called that; else %q.)\n\n"+
		"ssh asks whether the host key is the right one. It is:\n\n  %s\n\n",
		d.claimFor, line, "admin", strings.Join(d.svc.HostKeys, "\n  "))
	d.claimEnd = time.AfterFunc(d.claimFor, func() { unclaimed(context.WithoutCancel(ctx), d.people, d.log) })
	return nil
}

// openClaim makes a claim, and returns the line by which the first person takes it.
func (d *daemon) openClaim(ctx context.Context) (line string, _ people.Invitation, err error) {
	code, i, err := d.people.InviteFirst(ctx, d.claimFor)
	return d.here.SSH(server.ClaimUser + code), i, err
}

// unclaimed says what to do once a claim has expired.
func unclaimed(ctx context.Context, known *people.Service, log zerolog.Logger) {
	if has, err := known.HasKeys(ctx); err == nil && !has {
		log.Warn().Msg("the claim has expired: run on gitd's host: gitd claim")
	}
}
