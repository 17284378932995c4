// Command house measures the repository and fails when a limit of the house is broken: `go run ./scripts/house`.
//
// It owns the limits and how they are counted: lines of a package outside its tests, methods of a type, lines of a
// function, and columns of comments and prose. It does not own which package may import which (architecture_test.go)
// nor anything that needs types: that is the linter's (.golangci.yml).
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The limits.
const (
	maxPackage = 3000 // lines of a package, outside tests; programs (cmd/…) may be larger
	maxMethods = 25   // methods that a type declares
	maxP90     = 30   // lines that nine of ten functions have at most, outside tests
	maxColumns = 120  // columns of a comment and of a line of prose
)

func main() {
	root := flag.String("C", ".", "the `folder` that is measured")
	flag.Parse()
	broken, err := run(*root, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(2)
	}
	for _, b := range broken {
		fmt.Fprintln(os.Stderr, "house:", b)
	}
	if len(broken) > 0 {
		os.Exit(1)
	}
}

// run writes what it measures below root to out, and returns which limits are broken.
func run(root string, out io.Writer) (broken []string, err error) {
	var h house
	err = walk(root, func(name string) error {
		path := filepath.Join(root, name)
		switch {
		case strings.HasSuffix(name, ".go"):
			return h.addGo(path, name)
		case strings.HasSuffix(name, ".md"):
			return h.addProse(path, name)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h.broken(), h.print(out)
}
