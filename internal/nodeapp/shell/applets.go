package shell

import (
	"path"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Sh is the shell of a machine that has one.
const Sh = "/bin/sh"

// Busybox is the package of Debian that has Sh. It is one file, which needs no library.
const Busybox = "busybox-static"

// Applets are the programs that a machine with a shell has: those of busybox that scripts use, without those that
// manage a system, which an ordinary user cannot do in a machine.
func Applets() []string {
	return strings.Fields(`[ [[ ash awk base64 basename bunzip2 bzcat bzip2 cat chmod chown clear cmp cp cut date dd df diff dirname
		du echo egrep env expr false fgrep find fold free getopt grep groups gunzip gzip head hexdump hostname id kill killall less
		ln ls md5sum mkdir mkfifo mktemp more mv nc nl nproc od paste pidof printf ps pwd readlink realpath rm rmdir
		sed seq setsid sh sha1sum sha256sum sha512sum sleep sort stat strings stty sync tail tar tee test time timeout top touch tr
		true truncate tty uname uniq unlink unxz unzip uptime vi wc wget which whoami xargs xz xzcat yes zcat`)
}

// Has reports whether a program is one of them, by its name or by its path in a machine.
func Has(program string) bool {
	dir, name := path.Split(program)
	return slices.Contains([]string{"", "/bin/", "/usr/bin/"}, dir) && slices.Contains(Applets(), name)
}

// Names are the programs that a command line names in plain words, wherever it does.
func Names(text string) (all []string) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), "")
	if err != nil {
		return nil
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.CallExpr); ok && len(c.Args) > 0 && c.Args[0].Lit() != "" {
			all = append(all, c.Args[0].Lit())
		}
		return true
	})
	return all
}
