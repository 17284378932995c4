// Bench-boot boots the starter apps again and again, on the kernels in turn, and prints where the time went and how
// much memory was used: the table of docs/base.md.
//
// It owns the order of the boots and the figures. It measures through the same builder and driver as gitd, and decides
// nothing about them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/builder"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/units"
)

func main() {
	// The builder runs this program inside its sandbox.
	if len(os.Args) > 1 && os.Args[1] == "sandbox" {
		os.Exit(builder.SandboxMain(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-boot:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	state, init, out string
	machine          string // the program gitd-machine
	kernels, apps    []string
	memory           []int
	runs             int
	tableOnly        bool
}

func parse() (settings, error) {
	var s settings
	var kernels, apps, memory string
	flag.StringVar(&s.state, "state", "/var/tmp/gitd-bench", "folder for bases, layers and machines; QEMU's user must reach it")
	flag.StringVar(&s.machine, "machine-program", "bin/gitd-machine", "the gitd-machine binary")
	flag.StringVar(&s.init, "guest-init", "bin/nodeos-init", "the nodeos-init binary")
	flag.StringVar(&s.out, "out", "bin/bench-boot.jsonl", "file to which each boot is added; what is in it counts as done")
	flag.StringVar(&kernels, "kernel", "minimal,stock", "kernels, by turns")
	flag.StringVar(&apps, "app", "hello,express", "starter apps")
	flag.StringVar(&memory, "memory", "128", "sizes of the machine, MiB")
	flag.IntVar(&s.runs, "runs", 10, "boots of each combination, those in the file included")
	flag.BoolVar(&s.tableOnly, "table", false, "boot nothing, print the table of what is in the file")
	flag.Parse()
	s.kernels, s.apps = strings.Split(kernels, ","), strings.Split(apps, ",")
	for word := range strings.SplitSeq(memory, ",") {
		n, err := strconv.Atoi(word)
		if err != nil {
			return s, fmt.Errorf("-memory %q: use numbers of MiB, as in 128,64", memory)
		}
		s.memory = append(s.memory, n)
	}
	return s, nil
}

func run(ctx context.Context) error {
	s, err := parse()
	if err != nil {
		return err
	}
	done, err := readSamples(s.out)
	if err != nil {
		return err
	}
	if !s.tableOnly {
		if done, err = s.measure(ctx, done); err != nil {
			return err
		}
	}
	return printTable(os.Stdout, done)
}

// measure boots until each combination has its runs. The kernels alternate, so that whatever else the host does affects
// all of them alike.
func (s settings) measure(ctx context.Context, done []sample) ([]sample, error) {
	images, err := s.images(ctx)
	if err != nil {
		return nil, err
	}
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	d, err := libvirt.New(ctx, libvirt.Config{State: core.StateDir(s.state), Machine: s.machine, Log: log})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for round := range s.runs {
		for _, c := range s.combinations() {
			if count(done, c) > round {
				continue
			}
			got, err := s.boot(ctx, d, c, images[c.image()])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c, err)
			}
			if err := got.append(s.out); err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "%d/%d %s: %s\n", round+1, s.runs, c, got)
			done = append(done, got)
		}
	}
	return done, nil
}

// combination is what is compared.
type combination struct {
	Kernel string `json:"kernel"`
	App    string `json:"app"`
	Memory int    `json:"memory"` // MiB
}

func (c combination) String() string {
	return fmt.Sprintf("%s, %s kernel, %s", c.App, c.Kernel, units.Bytes(int64(c.Memory)<<20))
}
func (c combination) image() combination {
	c.Memory = 0
	return c
}

func (s settings) combinations() (all []combination) {
	for _, app := range s.apps {
		for _, memory := range s.memory {
			for _, kernel := range s.kernels {
				all = append(all, combination{kernel, app, memory})
			}
		}
	}
	return all
}
