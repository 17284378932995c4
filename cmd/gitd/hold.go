package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/base/filelock"
	"github.com/nodeos-dev/gitd/internal/control"
	"github.com/nodeos-dev/gitd/internal/core"
)

// endLimit is how long a start waits for the gitd before, which may be ending: it lets its requests end, and its
// machines if it was halted.
const endLimit = time.Minute

// lockFile is beside the socket. It has the number of its holder, for people.
func lockFile(state core.StateDir) string {
	return filepath.Join(filepath.Dir(state.Socket()), "gitd.pid")
}

// holdState makes this process the one gitd on a state folder, until the file is closed. A gitd that is ending is
// waited for; one that serves, by its own word, is a reason not to begin. The kernel gives the lock up with the last
// thread of its holders, so a killed gitd that nobody has reaped does not have it.
func holdState(ctx context.Context, state core.StateDir, log zerolog.Logger) (lock *os.File, err error) {
	lock, err = lockState(ctx, state, log)
	if err != nil {
		return nil, err
	}
	nameHolder(state, log)
	return lock, nil
}

// nameHolder writes this process's number into the lock's file, for people.
func nameHolder(state core.StateDir, log zerolog.Logger) {
	if err := os.WriteFile(lockFile(state), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		log.Warn().Err(err).Msg("the lock does not say which process holds it")
	}
}

func lockState(ctx context.Context, state core.StateDir, log zerolog.Logger) (lock *os.File, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	began := time.Now()
	lock, err = filelock.TakeFile(ctx, lockFile(state), func() {
		holder := lockHolder(lockFile(state))
		log.Info().Str("holder", holder).Dur("limit", endLimit).Msg("another gitd has the state folder: waiting for its end, or its answer")
		go func() {
			if answers(ctx, state.Socket()) {
				cancel(fmt.Errorf("another gitd, %s, serves this state folder: stop it, or choose another folder with --state", holder))
			}
		}()
		time.AfterFunc(endLimit, func() {
			cancel(fmt.Errorf("the gitd before, %s, has not ended within %s, and no gitd answers at %s: end it, and start this one again",
				holder, endLimit, state.Socket()))
		})
	})
	if err != nil {
		return nil, errors.Join(context.Cause(ctx), ignoreCanceled(err))
	}
	log.Debug().Dur("waited", time.Since(began)).Msg("this is the one gitd on the state folder")
	return lock, nil
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil // the cause says it
	}
	return err
}

// answers reports whether a gitd serves at socket. That it takes connections proves nothing: the kernel does so for a
// killed one until its last thread has ended.
func answers(ctx context.Context, socket string) bool {
	call := control.Call{Name: "cli", Args: []string{"version"}}
	code, err := control.Do(ctx, socket, call, control.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	return err == nil && code == 0
}

// lockHolder names the process that has the lock: its number is what the file says.
func lockHolder(path string) string {
	text, err := os.ReadFile(path)
	pid, parseErr := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || parseErr != nil {
		return "a process that has just begun"
	}
	return fmt.Sprintf("process %d", pid)
}
