// Command deb packs the packages of gitd: `go run . FILE.yaml OUT`, from the folder that the paths in FILE start from.
//
// It owns nothing but the call of nfpm, which is a module of its own here so that its dependencies are not gitd's. The
// variables ${…} of the file come from the environment. The time of all files is SOURCE_DATE_EPOCH.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: deb FILE.yaml OUT")
		os.Exit(2)
	}
	name, err := pack(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "deb:", err)
		os.Exit(1)
	}
	fmt.Println(name)
}

// pack writes the package that file describes into the folder out, and returns its path.
func pack(file, out string) (name string, err error) {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return "", fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	config, err := nfpm.ParseFileWithEnvMapping(file, os.Getenv)
	if err != nil {
		return "", err
	}
	info, err := config.Get("deb")
	if err != nil {
		return "", err
	}
	info.MTime = time.Unix(seconds, 0).UTC()
	info = nfpm.WithDefaults(info)
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return "", err
	}
	name = filepath.Join(out, deb.Default.ConventionalFileName(info))
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	err = errors.Join(deb.Default.Package(info, f), f.Close())
	if err != nil {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}
