package kernel

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// reproducedFile has the kernel whose bytes the last `make test-base` compared.
const reproducedFile = "testdata/reproduced.json"

// reproduced is a kernel that was compiled twice, with the same bytes.
type reproduced struct {
	Recipe recipe            `json:"recipe"` // with the digest of its options in their place
	Files  map[string]string `json:"files"`  // the SHA-256 of each
}

// compared are the files of a kernel that depend on its recipe alone. kernel.json does not: it counts the objects that
// were compiled, and those of an interrupted compile are counted again.
var compared = []string{"kernel", "config", "System.map"}

func shortened(r recipe) recipe {
	sum := sha256.Sum256([]byte(r.Options))
	r.Options = hex.EncodeToString(sum[:])
	return r
}

func digests(t *testing.T, k Kernel) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for _, name := range compared {
		sum, _, err := digestFile(filepath.Join(k.Dir, name))
		if err != nil {
			t.Fatal(err)
		}
		sums[name] = sum
	}
	return sums
}

func readReproduced(t *testing.T) (r reproduced) {
	t.Helper()
	if err := json.Unmarshal(read(t, reproducedFile), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func writeReproduced(t *testing.T, r reproduced) {
	t.Helper()
	b, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = os.WriteFile(reproducedFile, append(b, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestKernelIsTheReproducedOne compares this host's kernel with the one that was compiled twice, on another host and on
// another day. A change of the options needs a new comparison; another compiler or source of Debian's does not stop
// anybody's work, and is compared by hand.
func TestKernelIsTheReproducedOne(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the minimal kernel, which make test compiles")
	}
	c, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.recipe()
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.Find()
	if errors.Is(err, ErrNotCompiled) {
		t.Fatal("the minimal kernel is not compiled: make minimal compiles it")
	}
	if err != nil {
		t.Fatal(err)
	}
	known, present := readReproduced(t), shortened(r)
	if known.Recipe.Arch != present.Arch {
		t.Skipf("the kernel of %s was not compiled twice: make test-base does that", present.Arch)
	}
	if known.Recipe.Format != present.Format || known.Recipe.Options != present.Options {
		t.Fatal("the options are not those that were compiled twice: make test-base compares the bytes, and writes " + reproducedFile)
	}
	if known.Recipe != present {
		t.Skipf("the kernel of %s and this source was not compiled twice: make test-base does that", present.Compiler)
	}
	for name, sum := range digests(t, k) {
		if sum != known.Files[name] {
			t.Errorf("%s of this host has the digest %s, and where it was compiled twice it had %s", name, sum, known.Files[name])
		}
	}
}
