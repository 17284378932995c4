package debian

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// inBase are the packages whose files the base has, or whose files gitd adds from the host: their versions are those
// that the host has, and what is fetched must fit to them.
func inBase() []string { return []string{"libc6", "libgcc-s1", "libstdc++6", "ca-certificates"} }

// unused are packages that others name for their scripts, or for a system with services and a desktop: none of that
// is in a machine. Without this list, chromium would bring systemd.
func unused() []string {
	return []string{
		"adduser", "adwaita-icon-theme", "dbus", "dbus-user-session", "dconf-gsettings-backend", "debconf", "default-dbus-session-bus",
		"dpkg", "init-system-helpers", "libpam-systemd", "lsb-base", "passwd", "systemd", "systemd-sysv", "tzdata", "ucf",
		"udev", "x11-utils", "xdg-desktop-portal-backend", "xdg-utils",
	}
}

// notInstalled is the version of what nobody has: higher than any that others ask for.
const notInstalled = "999999"

// assumed is dpkg's list of installed packages, as apt is shown it. What is asked for is not there, though others need
// not have it.
func assumed(ctx context.Context, asked []string) (string, error) {
	var b strings.Builder
	for _, name := range inBase() {
		version, err := Installed(ctx, name)
		if err != nil {
			return "", err
		}
		stanza(&b, name, version, "same")
	}
	for _, name := range unused() {
		if slices.Contains(asked, name) {
			continue
		}
		stanza(&b, name, notInstalled, "foreign")
	}
	return b.String(), nil
}

// Installed is the version in which the host has a package.
func Installed(ctx context.Context, name string) (string, error) {
	cmd := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Version}", name+":"+native())
	if name == "ca-certificates" {
		cmd.Args[len(cmd.Args)-1] = name // it is for all architectures
	}
	cmd.Env = environment()
	out, err := cmd.Output()
	if err != nil || len(out) == 0 {
		return "", fmt.Errorf("ask dpkg for the version of %s: %w", name, err)
	}
	return string(out), nil
}

func stanza(b *strings.Builder, name, version, multi string) {
	fmt.Fprintf(b, "Package: %s\nStatus: install ok installed\nVersion: %s\nArchitecture: %s\nMulti-Arch: %s\n"+
		"Maintainer: gitd\nDescription: in the base, or of no use in a machine\n\n", name, version, native(), multi)
}
