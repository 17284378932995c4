package builder

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

	"gitd/internal/core"
	"gitd/internal/guest"
)

// BaseSize is the size of one part of a base, in bytes.
type BaseSize struct {
	Part   string `json:"part"`
	Files  int    `json:"files"`
	Plain  int64  `json:"plain"`
	Packed int64  `json:"packed"` // what zstd -19 makes of the part, its files one after the other
}

// NodeSize is what Node takes, in bytes.
type NodeSize struct {
	Plain    int64 `json:"plain"`
	Stripped int64 `json:"stripped"`
	InImage  int64 `json:"in_image"` // of an image that holds nothing else
}

// BaseSizes are the sizes of a base's parts.
type BaseSizes struct {
	Parts []BaseSize `json:"parts"` // everything but Node
	Node  NodeSize   `json:"node"`
}

// Total adds up everything but Node.
func (s BaseSizes) Total() BaseSize {
	sum := BaseSize{Part: "all but Node"}
	for _, p := range s.Parts {
		sum.Files += p.Files
		sum.Plain += p.Plain
		sum.Packed += p.Packed
	}
	return sum
}

// MeasureBase takes the base id apart and measures it. It needs zstd, strip
// and fsck.erofs on this host, and some seconds.
func MeasureBase(ctx context.Context, state core.StateDir, id string) (BaseSizes, error) {
	base, err := ReadBase(state, id)
	if err != nil {
		return BaseSizes{}, err
	}
	tmp, err := os.MkdirTemp(state.Builds(), "sizes-")
	if err != nil {
		return BaseSizes{}, err
	}
	defer os.RemoveAll(tmp)
	root := filepath.Join(tmp, "root")
	if err := tool(ctx, "fsck.erofs", "--extract="+root, state.Root(id)); err != nil {
		return BaseSizes{}, err
	}
	var sizes BaseSizes
	for _, part := range baseParts(base, state.Base(id), root) {
		size, err := measurePart(ctx, part)
		if err != nil {
			return BaseSizes{}, err
		}
		sizes.Parts = append(sizes.Parts, size)
	}
	sizes.Node, err = measureNode(ctx, tmp, filepath.Join(root, guest.Node))
	return sizes, err
}

// basePart is a part and its files on the host.
type basePart struct {
	name  string
	files []string
}

// baseParts sorts everything in a base but Node, links and folders into
// parts.
func baseParts(b Base, dir, root string) []basePart {
	parts := []basePart{{name: "kernel", files: []string{filepath.Join(dir, "kernel")}}}
	if _, ok := b.Images["initrd"]; ok {
		parts = append(parts, basePart{name: "initramfs", files: []string{filepath.Join(dir, "initrd")}})
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
		parts = append(parts, basePart{name, files[name]})
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

func measurePart(ctx context.Context, p basePart) (BaseSize, error) {
	size := BaseSize{Part: p.name, Files: len(p.files)}
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
	alone, stripped, image := filepath.Join(tmp, "alone"), filepath.Join(tmp, "stripped"), filepath.Join(tmp, "node.erofs")
	err := errors.Join(os.Mkdir(alone, 0o755), os.Rename(node, filepath.Join(alone, "node")))
	if err != nil {
		return NodeSize{}, err
	}
	node = filepath.Join(alone, "node")
	if err := packEROFS(ctx, alone, image, packOptions{Compression: dense}); err != nil {
		return NodeSize{}, err
	}
	if err := tool(ctx, "strip", "-o", stripped, node); err != nil {
		return NodeSize{}, err
	}
	var sizes [3]int64
	for i, name := range []string{node, stripped, image} {
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
		return fmt.Errorf("%s: %w: %s", name, err, lastLine(out.Bytes()))
	}
	return nil
}
