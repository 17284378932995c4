package images

import (
	"bufio"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nodeos-dev/gitd/internal/cli/command"
	"github.com/nodeos-dev/gitd/internal/contents/sbom"
	"github.com/nodeos-dev/gitd/internal/core"
)

func (c commands) sbom() *cobra.Command {
	cmd := &cobra.Command{
		Use: "releases:sbom APP vN", Short: "print the software bill of materials of a release (CycloneDX 1.6)",
		Long: "Print what the image of a release is made of, as CycloneDX 1.6 in JSON: the packages of npm that are in it,\n" +
			"Node, the kernel, and the libraries of Debian. What a bundler has put into one file cannot be seen.",
		Example: "releases:sbom shop v12", Args: command.Args(cobra.ExactArgs(2)),
	}
	format := cmd.Flags().String("format", "cyclonedx", "the form: cyclonedx")
	return c.reading(cmd, func(ctx context.Context, app core.App, a []string) error {
		if *format != "cyclonedx" {
			return command.Misuse(cmd, fmt.Errorf("there is no form %.20q: only cyclonedx", *format))
		}
		r, err := c.release(cmd, app.Name, a[0])
		if err != nil {
			return err
		}
		in := sbom.Input{Release: r, Version: c.Version}
		if in.Packages, err = c.Contents.Packages(ctx, r.Manifest); err != nil {
			return err
		}
		if in.Base, err = c.Contents.Bases(r.Manifest.Base); err != nil {
			return err
		}
		out := bufio.NewWriter(c.Out)
		if err := sbom.Write(out, in); err != nil {
			return err
		}
		return out.Flush()
	})
}
