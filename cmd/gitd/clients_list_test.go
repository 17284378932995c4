package main

import "maps"

const (
	gitPush     = "git push nodeos main"
	readIt      = "the exit code is 0, so read what it prints"
	jgitJars    = "jsch org.eclipse.jgit.lfs org.eclipse.jgit.http.apache httpclient httpcore slf4j-nop"
	oldPackages = "dash coreutils git openssh-client putty-tools dropbear-bin jgit-cli openjdk-17-jre-headless " +
		"python3-dulwich python3-paramiko python3-pygit2"
	gitPackages = "dash coreutils git openssh-client"
)

var (
	bullseye = &debian{suite: "bullseye", packages: gitPackages}
	bookworm = &debian{suite: "bookworm", packages: oldPackages}
	trixie   = &debian{suite: "trixie", packages: gitPackages}
	sid      = &debian{suite: "sid", packages: gitPackages}
)

// client is a row of the table. Its lines are what a person types, in a shell; docs/clients.md shows them.
type client struct {
	name    string
	from    string // where it comes from, for the table
	debian  *debian
	version string // prints its version
	note    string // for its users
	// once is typed once, on a new computer.
	once []string
	// before is typed in each shell.
	before []string
	// ed25519 tries that kind of key where the client uses another one otherwise.
	ed25519 []string
	lines   map[string]string // by column
	list    string            // lists the refs of a remote; empty: the host's git does
	why     map[string]string // what is to be known of a cell that is not "yes"
}

// gitLines are git's, whatever ssh it uses.
var gitLines = map[string]string{
	"push":     gitPush,
	"again":    gitPush,
	"refused":  "git push nodeos other",
	"tags":     "git push nodeos --tags",
	"tags2":    "git push nodeos --tags",
	"option":   "git push -o hello nodeos --tags",
	"archive":  "git archive --remote=ssh://nodeos@HOST:2222/shop main",
	"clone":    "git clone ssh://nodeos@HOST:2222/shop ../copy",
	"shallow":  "cd ../shallow && git push nodeos main",
	"rollback": "git push nodeos v1",
	"delete":   "git push nodeos --delete v2",
}

func with(lines map[string]string, column, line string) map[string]string {
	all := maps.Clone(lines)
	all[column] = line
	return all
}

func gitOf(d *debian, name string) client {
	return client{
		name: name, from: "Debian " + d.suite + ", with its OpenSSH", debian: d,
		version: "git --version", lines: gitLines, list: "git ls-remote --tags nodeos",
	}
}

var clients = []client{
	gitOf(bullseye, "git, oldest"),
	gitOf(bookworm, "git, old"),
	gitOf(trixie, "git"),
	gitOf(sid, "git, newest"),
	{
		name: "ssh", from: "Debian bookworm", debian: bookworm, version: "ssh -V",
		note:  "OpenSSH, for commands. git uses it too, in the rows above.",
		lines: map[string]string{"commands": "ssh -p 2222 nodeos@HOST help"},
	},
	{
		name: "plink", from: "Debian bookworm, with its git", debian: bookworm, version: "plink -V",
		note: "PuTTY, as git's ssh. Pageant, or a session that PuTTY has saved, can take the place of `-i`. Without " +
			"`-hostkey`, plink asks at the first connection; `gitd status` shows the fingerprint.",
		once:   []string{"puttygen ~/.ssh/id_ed25519 -O private -o ~/.ssh/id.ppk"},
		before: []string{`export GIT_SSH_VARIANT=plink GIT_SSH_COMMAND="plink -batch -i ~/.ssh/id.ppk -hostkey FINGERPRINT"`},
		lines:  with(gitLines, "commands", "plink -batch -i ~/.ssh/id.ppk -hostkey FINGERPRINT -P 2222 nodeos@HOST help"),
		list:   "git ls-remote --tags nodeos",
	},
	{
		name: "dbclient", from: "Debian bookworm, with its git", debian: bookworm, version: "dbclient -V",
		note: "Dropbear, as git's ssh. It reads keys in its own form only. `-y` accepts a host key at the first " +
			"connection and refuses another one later. Without the variant, git takes dbclient for a program that knows no " +
			"ports; with it, dbclient warns that it does not know `SendEnv`, which is harmless.",
		once:   []string{"dropbearconvert openssh dropbear ~/.ssh/id_ed25519 ~/.ssh/id.dropbear"},
		before: []string{`export GIT_SSH_VARIANT=ssh GIT_SSH_COMMAND="dbclient -y -i ~/.ssh/id.dropbear"`},
		lines:  with(gitLines, "commands", "dbclient -y -i ~/.ssh/id.dropbear -p 2222 nodeos@HOST help"),
		list:   "git ls-remote --tags nodeos",
	},
	jgit,
	{
		name: "dulwich", from: "Debian bookworm, with its OpenSSH", debian: bookworm,
		version: `python3 -c 'import dulwich; print(".".join(map(str, dulwich.__version__)))'`,
		note: "git in Python. It sends a stored tag again only with `--force`. A push that is refused ends with 0: read " +
			"what it prints.",
		lines: map[string]string{
			"push":     "dulwich push nodeos main",
			"again":    "dulwich push nodeos main",
			"refused":  "dulwich push nodeos other",
			"tags":     "dulwich push nodeos refs/tags/v1 refs/tags/v2",
			"tags2":    "dulwich push --force nodeos refs/tags/v1 refs/tags/v2",
			"archive":  "dulwich archive --remote=ssh://nodeos@HOST:2222/shop main",
			"clone":    "dulwich clone ssh://nodeos@HOST:2222/shop ../copy",
			"rollback": "dulwich push --force nodeos refs/tags/v1",
			"delete":   "dulwich push --force nodeos :refs/tags/v2",
		},
		list: "dulwich ls-remote ssh://nodeos@HOST:2222/shop",
		why: map[string]string{
			"refused": readIt,
			"archive": "a fault of this version of dulwich, before it says anything to gitd",
			"delete":  "dulwich sends no deletion of a tag that it is not shown; git does",
		},
	},
	{
		name: "libgit2", from: "Debian bookworm: pygit2, libssh2", debian: bookworm, version: "python3 ~/libgit2.py version",
		note: "The program is [libgit2.py](../cmd/gitd/testdata/clients/libgit2.py): what libgit2 prints is up to the " +
			"program that uses it. It looks into `known_hosts`, which ssh-keyscan fills here.",
		once: []string{"ssh-keyscan -t ed25519 -p 2222 HOST >>~/.ssh/known_hosts"},
		lines: map[string]string{
			"push":     "python3 ~/libgit2.py push refs/heads/main",
			"again":    "python3 ~/libgit2.py push refs/heads/main",
			"refused":  "python3 ~/libgit2.py push refs/heads/other",
			"tags":     "python3 ~/libgit2.py push refs/tags/v1 refs/tags/v2",
			"tags2":    "python3 ~/libgit2.py push refs/tags/v1 refs/tags/v2",
			"clone":    "python3 ~/libgit2.py clone ssh://nodeos@HOST:2222/shop ../copy",
			"rollback": "python3 ~/libgit2.py push refs/tags/v1",
			"delete":   "python3 ~/libgit2.py push :refs/tags/v2",
		},
		list: "python3 ~/libgit2.py list",
	},
	{
		name: "go-git", from: "the Go module, compiled", debian: bookworm, version: "~/gogit version",
		note: "The program is [gogit](../cmd/gitd/testdata/clients/gogit/main.go). It sends a " +
			"stored tag again only with force (`+`).",
		lines: map[string]string{
			"push":     "~/gogit push refs/heads/main:refs/heads/main",
			"again":    "~/gogit push refs/heads/main:refs/heads/main",
			"refused":  "~/gogit push refs/heads/other:refs/heads/other",
			"tags":     "~/gogit push 'refs/tags/*:refs/tags/*'",
			"tags2":    "~/gogit push '+refs/tags/*:refs/tags/*'",
			"option":   "~/gogit option hello '+refs/tags/*:refs/tags/*'",
			"clone":    "~/gogit clone ssh://nodeos@HOST:2222/shop ../copy",
			"rollback": "~/gogit push +refs/tags/v1:refs/tags/v1",
			"delete":   "~/gogit push :refs/tags/v2",
		},
		list: "~/gogit list",
		why:  map[string]string{"delete": "go-git makes no deletion of a tag that it is not shown; git does"},
	},
	{
		name: "paramiko", from: "Debian bookworm, with dulwich for git", debian: bookworm, version: "python3 ~/paramiko_git.py version",
		note: "The program is [paramiko_git.py](../cmd/gitd/testdata/clients/paramiko_git.py); for git it uses dulwich's " +
			"`ParamikoSSHVendor`.",
		lines: map[string]string{
			"commands": "python3 ~/paramiko_git.py run HOST 2222 help",
			"push":     "python3 ~/paramiko_git.py push main",
			"again":    "python3 ~/paramiko_git.py push main",
			"refused":  "python3 ~/paramiko_git.py push other",
			"tags":     "python3 ~/paramiko_git.py push refs/tags/v1 refs/tags/v2",
			"tags2":    "python3 ~/paramiko_git.py push refs/tags/v1 refs/tags/v2",
			"clone":    "python3 ~/paramiko_git.py clone ssh://nodeos@HOST:2222/shop ../copy",
			"rollback": "python3 ~/paramiko_git.py push refs/tags/v1",
			"delete":   "python3 ~/paramiko_git.py push :refs/tags/v2",
		},
		list: "python3 ~/paramiko_git.py list ssh://nodeos@HOST:2222/shop",
		why:  map[string]string{"refused": readIt, "delete": "dulwich sends no deletion of a tag that it is not shown; git does"},
	},
}

// jgit is a very old one: it stands for the Java clients of its time, which are in many old build servers.
var jgit = client{
	name: "JGit", from: "Debian bookworm, with JSch 0.1.54", debian: bookworm, version: "jgit version",
	note: "A very old client, in Java. Its JSch reads no ed25519 key, and signs with an RSA key in a way that gitd refuses " +
		"(SHA-1), so it needs an ECDSA key in PEM form, and a line that says so; `keys:add` takes the key as any other. " +
		"Debian's package names too few of its jars.",
	once: []string{
		"ssh-keygen -t ecdsa -m PEM -N '' -f ~/.ssh/id_ecdsa",
		`printf 'Host HOST\n  IdentityFile ~/.ssh/id_ecdsa\n' >~/.ssh/config`,
		"ssh-keyscan -p 2222 HOST >>~/.ssh/known_hosts",
	},
	before: []string{
		"export PATH=$PATH:/usr/lib/jvm/java-17-openjdk-amd64/bin",
		`for j in ` + jgitJars + `; do export JGIT_CLASSPATH="$JGIT_CLASSPATH:/usr/share/java/$j.jar"; done`,
	},
	ed25519: []string{
		`printf 'Host HOST\n  IdentityFile ~/.ssh/id_ed25519\n' >~/.ssh/config`,
		"ssh-keyscan -p 2222 HOST >~/.ssh/known_hosts",
		"jgit ls-remote ssh://nodeos@HOST:2222/shop",
	},
	lines: map[string]string{
		"push":     "jgit push nodeos main",
		"again":    "jgit push nodeos main",
		"refused":  "jgit push nodeos other",
		"tags":     "jgit push --tags nodeos",
		"tags2":    "jgit push --tags nodeos",
		"option":   "jgit push -t hello --tags nodeos",
		"clone":    "jgit clone ssh://nodeos@HOST:2222/shop ../copy",
		"rollback": "jgit push nodeos v1",
		"delete":   "jgit push nodeos :refs/tags/v2",
	},
	list: "jgit ls-remote ssh://nodeos@HOST:2222/shop",
	why: map[string]string{
		"refused": readIt,
		"key":     "its JSch reads no such key: use an ECDSA key, as below",
		"delete":  "JGit sends no deletion of a tag that it is not shown; git does",
	},
}
