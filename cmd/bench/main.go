// Bench measures what a person waits for and what a host pays, each beside what that person would have otherwise, in
// turns and in the same run, and prints the tables of docs/benchmarks.md.
//
// It owns the order of the rounds, the others that are compared (QEMU by itself, OpenSSH with a hook, a Debian guest),
// and the figures. Everything of gitd is used as its users have it: the programs, git, ssh and HTTP. The front door
// beside other proxies is bench-door's, the phases of a boot on both kernels are bench-boot's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	rounds int
	parts  []string
	work   string // folder for everything that is made
	bin    string // folder of gitd's programs
	smoke  bool
	// of the part density
	apps, woken int
	long        time.Duration
}

// part is one subject. It adds its figures to the table.
type part struct {
	name  string
	smoke bool // whether it is run to see that the harness works: each boot takes seconds
	run   func(b *bench, ctx context.Context) error
}

// parts are in the order of the tables. Another one needs a line here and a method.
var parts = []part{
	{"push", true, (*bench).pushes},
	{"rollback", false, (*bench).rollbacks},
	{"wake", false, wakes},
	{"guest", true, (*bench).guests},
	{"debian", false, debians},
	{"history", false, (*bench).histories},
	{"growth", true, (*bench).growth},
	{"density", false, density},
}

func run(ctx context.Context) error {
	var s settings
	var chosen string
	flag.IntVar(&s.rounds, "rounds", 5, "how often each figure is taken")
	flag.StringVar(&chosen, "parts", "", "parts to measure, separated by ','; empty: all")
	flag.StringVar(&s.work, "work", "/var/tmp/gitd-bench-all", "folder for what is made; QEMU's user must reach it")
	flag.StringVar(&s.bin, "bin", "bin", "folder of gitd, gitd-machine and nodeos-init")
	flag.IntVar(&s.apps, "apps", 500, "density: apps that are registered")
	flag.IntVar(&s.woken, "woken", 100, "density: apps of these that are asked")
	flag.DurationVar(&s.long, "long", 10*time.Minute, "density: how long they are asked")
	flag.BoolVar(&s.smoke, "smoke", false, "one round of the smallest sizes, and few parts: is the harness right?")
	flag.Parse()
	if chosen != "" {
		s.parts = strings.Split(chosen, ",")
	}
	for _, name := range s.parts {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return fmt.Errorf("there is no part %q; the parts are %s", name, partNames())
		}
	}
	if s.smoke {
		s.rounds = 1
	}
	return measure(ctx, s)
}

func partNames() string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// measure runs the parts, and prints what was measured also if one of them fails.
func measure(ctx context.Context, s settings) error {
	b, err := prepare(ctx, s)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if len(s.parts) > 0 && !slices.Contains(s.parts, p.name) || len(s.parts) == 0 && s.smoke && !p.smoke {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", p.name)
		b.table.part = p.name
		if partErr := p.run(b, ctx); partErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, partErr))
		}
		if ctx.Err() != nil {
			break // somebody has ended it: what runs must end too
		}
	}
	return errors.Join(err, b.table.print(os.Stdout), b.stop())
}
