package base

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// PartSize is the size of one part of a base, in bytes.
type PartSize struct {
	Part   string `json:"part"`
	Files  int    `json:"files"`
	Plain  int64  `json:"plain"`
	Packed int64  `json:"packed"` // after zstd -19, of the part's files one after the other
}

// NodeSize is what Node takes, in bytes.
type NodeSize struct {
	Plain    int64 `json:"plain"`
	Stripped int64 `json:"stripped"`
	InImage  int64 `json:"in_image"` // of an image that holds nothing else
}

// Sizes are the sizes of a base's parts.
type Sizes struct {
	Parts []PartSize `json:"parts"` // everything but Node
	Node  NodeSize   `json:"node"`
}

// Total adds up everything but Node.
func (s Sizes) Total() PartSize {
	sum := PartSize{Part: "all but Node"}
	for _, p := range s.Parts {
		sum.Files += p.Files
		sum.Plain += p.Plain
		sum.Packed += p.Packed
	}
	return sum
}

// Measure takes the base id apart and measures it. It needs zstd, strip
// and fsck.erofs on this host, and some seconds.
func Measure(ctx context.Context, state core.StateDir, id string) (Sizes, error) {
	base, err := Read(state, id)
	if err != nil {
		return Sizes{}, err
	}
	tmp, err := os.MkdirTemp(state.Builds(), "sizes-")
	if err != nil {
		return Sizes{}, err
	}
	defer os.RemoveAll(tmp)
	root := filepath.Join(tmp, "root")
	if err := tool(ctx, "fsck.erofs", "--extract="+root, state.Root(id)); err != nil {
		return Sizes{}, err
	}
	var sizes Sizes
	for _, part := range parts(base, state.Base(id), root) {
		size, err := measurePart(ctx, part)
		if err != nil {
			return Sizes{}, err
		}
		sizes.Parts = append(sizes.Parts, size)
	}
	sizes.Node, err = measureNode(ctx, tmp, filepath.Join(root, guest.Node))
	return sizes, err
}

// part is a part and its files on the host.
type part struct {
	name  string
	files []string
}

// parts sorts everything in a base but Node, links and folders into
// parts.
func parts(b Contents, dir, root string) []part {
	parts := []part{{name: "kernel", files: []string{filepath.Join(dir, "kernel")}}}
	if _, ok := b.Images["initrd"]; ok {
		parts = append(parts, part{name: "initramfs", files: []string{filepath.Join(dir, "initrd")}})
	}
	names := []string{"init", "libraries", "certificates", "settings"}
	files := map[string][]string{}
	for _, f := range b.Root {
		if f.Path != guest.Node && strings.HasPrefix(f.Mode, "-") {
			name := partOf(f.Path)
			files[name] = append(files[name], filepath.Join(root, f.Path))
		}
	}
	for _, name := range names {
		parts = append(parts, part{name, files[name]})
	}
	return parts
}

func partOf(path string) string {
	switch {
	case path == "/sbin/init":
		return "init"
	case strings.HasPrefix(path, "/etc/ssl/"):
		return "certificates"
	case strings.HasPrefix(path, "/etc/"):
		return "settings"
	}
	return "libraries"
}

func measurePart(ctx context.Context, p part) (PartSize, error) {
	size := PartSize{Part: p.name, Files: len(p.files)}
	var content []io.Reader
	for _, name := range p.files {
		f, err := os.Open(name)
		if err != nil {
			return size, err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return size, err
		}
		size.Plain += info.Size()
		content = append(content, f)
	}
	packed := &byteCount{}
	cmd := exec.CommandContext(ctx, "zstd", "-19", "--stdout", "--quiet")
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdin, cmd.Stdout = io.MultiReader(content...), packed
	if err := cmd.Run(); err != nil {
		return size, fmt.Errorf("zstd: %w: scripts/setup kernel installs it", err)
	}
	size.Packed = packed.n
	return size, nil
}

type byteCount struct{ n int64 }

func (c *byteCount) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// measureNode packs Node alone, because an image does not say what each of
// its files takes.
func measureNode(ctx context.Context, tmp, node string) (NodeSize, error) {
	alone := filepath.Join(tmp, "alone")
	stripped, packed := filepath.Join(tmp, "stripped"), filepath.Join(tmp, "node.erofs")
	err := errors.Join(os.Mkdir(alone, 0o755), os.Rename(node, filepath.Join(alone, "node")))
	if err != nil {
		return NodeSize{}, err
	}
	node = filepath.Join(alone, "node")
	if err := image.Pack(ctx, alone, packed, image.Packing{Compression: image.Dense}); err != nil {
		return NodeSize{}, err
	}
	if err := tool(ctx, "strip", "-o", stripped, node); err != nil {
		return NodeSize{}, err
	}
	var sizes [3]int64
	for i, name := range []string{node, stripped, packed} {
		info, err := os.Stat(name)
		if err != nil {
			return NodeSize{}, err
		}
		sizes[i] = info.Size()
	}
	return NodeSize{Plain: sizes[0], Stripped: sizes[1], InImage: sizes[2]}, nil
}

// tool runs a program that scripts/setup installs.
func tool(ctx context.Context, name string, args ...string) error {
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, progress.LastLine(out.Bytes()))
	}
	return nil
}
