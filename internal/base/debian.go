package base

import (
	"os/exec"
	"strings"
)

// debianPackage is a package of the host, as Debian names it.
type debianPackage struct{ name, version string }

// certificates is the file that a script of Debian's ca-certificates makes, so that dpkg does not know whose it is.
const certificates = "/etc/ssl/certs/ca-certificates.crt"

// debianPackages finds the packages of the host's files at paths. Files that dpkg does not know are left out, and so
// are all on a host that is not Debian: this is for people, and no reason to make no base.
func debianPackages(paths []string) map[string]debianPackage {
	of := map[string]debianPackage{}
	dpkg, err := exec.LookPath("dpkg-query")
	if err != nil || len(paths) == 0 {
		return of
	}
	owner := owners(dpkg, paths)
	for path, name := range owner {
		cmd := exec.Command(dpkg, "--show", "--showformat=${Package} ${Version}", "--", name)
		cmd.Env = []string{"LC_ALL=C"}
		out, err := cmd.Output()
		if err != nil {
			continue
		}
		p := debianPackage{}
		p.name, p.version, _ = strings.Cut(string(out), " ")
		of[path] = p
	}
	return of
}

// owners asks dpkg whose each file is. Where /lib is a link to /usr/lib, dpkg knows a file under one of both names.
func owners(dpkg string, paths []string) map[string]string {
	asked := map[string]string{} // by the name that dpkg may know
	for _, p := range paths {
		asked[p] = p
		if short, ok := strings.CutPrefix(p, "/usr"); ok {
			asked[short] = p
		} else {
			asked["/usr"+p] = p
		}
	}
	args := []string{"--search", "--"}
	for p := range asked {
		args = append(args, p)
	}
	cmd := exec.Command(dpkg, args...)
	cmd.Env = []string{"LC_ALL=C"}
	out, _ := cmd.Output() // it fails because one name of each file is unknown
	owner := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, path, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if at, known := asked[path]; ok && known && !strings.Contains(name, ", ") {
			owner[at] = name
		}
	}
	if _, ok := asked[certificates]; ok {
		owner[certificates] = "ca-certificates"
	}
	return owner
}
