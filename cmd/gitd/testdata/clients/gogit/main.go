// Command gogit is the least that a program does with go-git to push to gitd. TestClients runs it in a working copy.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/transport/ssh"
	gossh "golang.org/x/crypto/ssh"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "gogit:", err)
		os.Exit(1)
	}
}

func run(verb string, args []string) error {
	if verb == "version" {
		return version()
	}
	auth, err := ssh.NewPublicKeysFromFile("nodeos", filepath.Join(os.Getenv("HOME"), ".ssh/id_ed25519"), "")
	if err != nil {
		return err
	}
	auth.HostKeyCallback = gossh.InsecureIgnoreHostKey() // first contact; compare with the line of `gitd status`
	if verb == "clone" {
		_, err = git.PlainClone(args[1], false, &git.CloneOptions{URL: args[0], Auth: auth})
		return err
	}
	repo, err := git.PlainOpen(".")
	if err != nil {
		return err
	}
	remote, err := repo.Remote("nodeos")
	if err != nil {
		return err
	}
	if verb == "list" {
		refs, err := remote.List(&git.ListOptions{Auth: auth})
		for _, ref := range refs {
			fmt.Println(ref.Name())
		}
		return err
	}
	push := &git.PushOptions{RemoteName: "nodeos", Auth: auth, Progress: os.Stdout}
	if verb == "option" {
		push.Options = map[string]string{args[0]: "1"}
		args = args[1:]
	}
	for _, spec := range args {
		push.RefSpecs = append(push.RefSpecs, config.RefSpec(spec))
	}
	if err := remote.Push(push); !errors.Is(err, git.NoErrAlreadyUpToDate) {
		return err
	}
	fmt.Println("already up to date")
	return nil
}

func version() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("no build information")
	}
	for _, module := range info.Deps {
		if module.Path == "github.com/go-git/go-git/v5" {
			fmt.Println(module.Version)
		}
	}
	return nil
}
