package base

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/loader"
)

// fromHost begins the origin of a file that the host's own system has too.
const fromHost = "host: "

// nodeRoot is the root file system of a machine: Node, what its loader needs,
// init, and the few files that libc and Node read. No shell, no package
// manager, no other program.
func nodeRoot(node Node, init string) (tree, error) {
	var t tree
	bin := path.Join(node.Dir, "bin/node")
	t.file(guest.Node, 0o755, bin, "npm: node-linux-*@"+node.Version)
	t.file("sbin/init", 0o755, init, "gitd: nodeos-init")
	t.link("init", "sbin/init")
	t.link("usr/bin/env", "/sbin/init") // named by "#!/usr/bin/env node"
	t.text(guest.Loader, loader.Source())
	libs, err := sharedObjects(bin, addonLibraries())
	if err != nil {
		return nil, fmt.Errorf("node's libraries: %w", err)
	}
	for _, lib := range libs {
		t.file(lib, 0o755, lib, fromHost+lib)
	}
	t.file(certificates, 0o644, certificates, fromHost+certificates)
	t.settings(node.Version)
	t.link("bin", "usr/bin")
	// Below opt and var are files of Debian's packages, in machines that have such.
	for _, dir := range []string{guest.AppDir, "data", "dev", guest.LayersDir, "opt", "proc", "run", "sys", "var"} {
		t.folder(dir, 0o755)
	}
	t.folder("tmp", fs.ModeSticky|0o777)
	return t, nil
}

// addonLibraries are parts of glibc that Node itself does not name, but
// compiled packages from npm that were made for glibc before 2.34 do. The
// parts for names and DNS are within libc.so.6 now. Left out is libresolv, for
// programs that read DNS records by themselves: it takes 26 KB, where these take
// 2 KB each. An app that names it gets it beside the base.
func addonLibraries() []string { return []string{"librt.so.1", "libutil.so.1"} }

// settings are the files below /etc.
func (t *tree) settings(node string) {
	t.text("etc/passwd", fmt.Sprintf("root:x:0:0:root:/:/nonexistent\n"+
		"app:x:%d:%d:app:%s:/nonexistent\n"+
		"nobody:x:65534:65534:nobody:/nonexistent:/nonexistent\n", guest.AppUID, guest.AppUID, guest.AppDir))
	t.text("etc/group", fmt.Sprintf("root:x:0:\napp:x:%d:\nnogroup:x:65534:\n", guest.AppUID))
	t.text("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n")
	t.text("etc/os-release", fmt.Sprintf("NAME=NodeOS\nID=nodeos\nVERSION_ID=%s\n"+
		"PRETTY_NAME=\"NodeOS (Node %s)\"\n", node, node))
	// Written by init when it knows the network.
	t.link("etc/hosts", "/run/hosts")
	t.link("etc/resolv.conf", "/run/resolv.conf")
}
