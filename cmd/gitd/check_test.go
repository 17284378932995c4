package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestFlagsAreChecked: each of these flags was taken, and the first push failed, or the first machine, or nothing
// was kept. They are refused at the start, with what to type.
func TestFlagsAreChecked(t *testing.T) {
	short := t.TempDir()
	for line, want := range map[string]string{
		"--network 10.77.0.0/16 --network-dns 9.9.9.9": "use that of the host: --libvirt qemu:///system",
		"--network 10.77.0.5/16":                       "--network 10.77.0.0/16",
		"--network 8.8.0.0/16":                         "no private range",
		"--network fd00::/64":                          "no private range",
		"--network 10.0.0.0/8":                         "write one of /12 to /28",
		"--libvirt qemu:///system --network 10.77.0.0/16 --network-dns 9.9.9.9 --egress-rate 5M":            "and `gitd serve --egress-rate none`",
		"--libvirt qemu:///system --network 10.77.0.0/16 --network-dns 9.9.9.9 --allow-egress [fd00::5]":    "have no IPv6",
		"--libvirt qemu:///system --network 10.77.0.0/16 --network-dns 9.9.9.9 --allow-egress 127.0.0.1:80": "have the service listen on an address of the host",
		"--libvirt qemu:///system --network 10.77.0.0/16 --network-dns 127.0.0.53":                          `"127.0.0.53" is no address of IPv4 that machines reach`,
		"--network-dns 9.9.9.9":             "add --network 10.77.0.0/16",
		"--memory 1":                        "--memory 1: 1 MiB of memory is out of range\n !     a machine has from 48 MiB to",
		"--memory 0":                        "for example --memory 128",
		"--memory -5":                       "out of range",
		"--keep -1":                         "--keep -1: a number below zero has no meaning here\n !     give 0 or more",
		"--builds -1":                       "--builds -1: a number below zero",
		"--boot-timeout 0":                  "--boot-timeout 0s: a time must be longer than zero",
		"--drain-timeout -1s":               "--drain-timeout -1s: a time must",
		"--hold-timeout -1s":                "--hold-timeout -1s: a time must",
		"--stop-grace 0s":                   "--stop-grace 0s: a time must",
		"--build-timeout 0s":                "--build-timeout 0s: a time must",
		"--claim-expires -1h":               "--claim-expires -1h0m0s: a time must",
		"--login-timeout 0s":                "--login-timeout 0s: a time must",
		"--idle-timeout 0s":                 "--idle-timeout 0s: a time must",
		"--domain bad_domain!":              `--domain bad_domain!: "bad_domain!" is no domain`,
		"--domain 10.0.0.1":                 "is an address, and apps are served below a name",
		"--domain http://example.org":       "without scheme, port or path",
		"--ssh 2222":                        "for example :2222",
		"--ssh localhost":                   "--ssh localhost: that is no address of a door",
		"--http :99999":                     "--http :99999: that is no address of a door",
		"--http [::1":                       "for example :8080",
		"--registry npm.example.org":        "--registry npm.example.org: that is no such URL",
		"--registry ftp://npm.example.org/": "for example https://npm.example.org/",
		"--registry https://":               "that is no such URL",
		"--signatures maybe":                "--signatures maybe: that says nothing about signatures",
		"--npm-keys /nowhere":               "--npm-keys /nowhere: open /nowhere: no such file",
		"--second-registry npm.example.org": "--second-registry npm.example.org: that is no such URL",
		"--node-dist nodejs.org/dist":       "for example https://nodejs.org/dist/",
		"--node-wait -1h":                   "--node-wait -1h0m0s: a time below zero",
		"--libvirt localhost":               "for example qemu:///system",
		"--libvirt qemu+tls://other/system": "and gitd must reach the machines' files and apps on that host too\n !     type --libvirt qemu+ssh://root@other/system",
		"--libvirt qemu://other/system":     "type --libvirt qemu+ssh://root@other/system",
		"--libvirt qemu+ssh://root@o/system --network 10.77.0.0/16 --network-dns 9.9.9.9": "leads to no app from here",
		"--libvirt qemu+tcp://other/system":                                               "TCP is neither encrypted",
		"--libvirt qemu+unix://other/system":                                              "a unix socket leads to a libvirt of this host",
		"--libvirt qemu+libssh2://o/system":                                               "libssh2 has others",
		"--libvirt qemu+ssh://o/system?no_verify=1":                                       "no_verify would take any host for o",
		"--ssh-host https://git.example.org":                                              "write HOST or HOST:PORT",
		"--ssh-host git@example.org":                                                      "write HOST or HOST:PORT",
		"--ssh-host git.example.org:x":                                                    "write HOST or HOST:PORT",
		"--kernel best":                                                                   "--kernel best: ",
		"--log-level loud":                                                                "use debug, info, warn or error",
		"--state /" + strings.Repeat("x", 101):                                            "choose a shorter --state",
		"--libvirt qemu:///system --state /" + strings.Repeat("x", 120):                   "the system takes 107",
		"--memory much":                                                                   "usage: gitd serve",
	} {
		var out bytes.Buffer
		// Nothing is listened on and nothing is made where a flag is refused.
		words := append([]string{"gitd", "serve", "--state", short, "--accel", "nothing"}, strings.Fields(line)...)
		if code := run(t.Context(), words, strings.NewReader(""), &out, &out); code == 0 || !strings.Contains(out.String(), want) {
			t.Errorf("%s: exit %d, no %q in\n%s", line, code, want, out.String())
		}
	}
}

// TestBuildersFlagsAreChecked: what builds without the daemon checks its flags too, and says the usage once.
func TestBuildersFlagsAreChecked(t *testing.T) {
	for line, want := range map[string]string{
		"base:build --registry npm.example.org": "--registry npm.example.org: that is no such URL",
		"base:build --signatures on":            "give auto, require or off",
		"base:build --build-timeout 0":          "--build-timeout 0s: a time must",
		"base:build extra":                      "base:build takes no argument \"extra\"\n !     usage: gitd base:build",
		"base:files a b":                        "usage: gitd base:files [ID]",
		"serve extra":                           "serve takes no argument \"extra\"\n !     usage: gitd serve",
	} {
		var out bytes.Buffer
		words := append([]string{"gitd", "--state", t.TempDir()}, strings.Fields(line)...)
		if code := run(t.Context(), words, strings.NewReader(""), &out, &out); code == 0 || !strings.Contains(out.String(), want) ||
			strings.Count(out.String(), "usage: ") > 1 {
			t.Errorf("%s: exit %d, no %q in\n%s", line, code, want, out.String())
		}
	}
}

// TestVariablesAreChecked: what was given by a variable is named so.
func TestVariablesAreChecked(t *testing.T) {
	t.Setenv("GITD_MEMORY", "1")
	var out bytes.Buffer
	if code := run(t.Context(), []string{"gitd", "serve", "--state", t.TempDir()}, strings.NewReader(""), &out, &out); code == 0 ||
		!strings.Contains(out.String(), "GITD_MEMORY=1: 1 MiB of memory is out of range") {
		t.Errorf("exit %d\n%s", code, out.String())
	}
}

// TestGoodFlags: names, addresses and times that people use are not refused.
func TestGoodFlags(t *testing.T) {
	for _, line := range []string{
		"", "--domain apps.example.org --ssh-host git.example.org:22", "--ssh-host [2001:db8::1]:2222", "--ssh-host 2001:db8::1", "--ssh-host 10.0.0.1",
		"--ssh-host Git.Example.org", "--ssh 127.0.0.1:0 --http [::1]:http", "--registry http://10.0.0.1:4873", "--keep 0 --builds 0",
		"--memory 48 --stop-grace 1ms", "--libvirt qemu+ssh://root@other/system", "--libvirt test:///default", "--kernel stock",
	} {
		var o options
		flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		o.serveFlags(flags)
		if err := flags.Parse(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		o.state = "/var/lib/gitd"
		if err := o.check(flags); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}
