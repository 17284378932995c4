package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// ErrNoDaemon says that nothing answers at the socket.
var ErrNoDaemon = errors.New("gitd is not running")

// ErrLost says that the daemon went away in the middle of a call.
var ErrLost = errors.New("gitd went away")

// Do makes a call at the socket path and returns the exit status of the call.
func Do(ctx context.Context, path string, c Call, s Streams) (int, error) {
	conn, err := net.Dial("unix", path)
	switch {
	case errors.Is(err, os.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return 1, fmt.Errorf("%w: nothing answers at %s; start it with `gitd serve`, or name its state folder with --state", ErrNoDaemon, path)
	case errors.Is(err, os.ErrPermission):
		return 1, fmt.Errorf("%s belongs to another user: run this as root or as the user that gitd runs as", path)
	case err != nil:
		return 1, err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	enc := &sender{enc: json.NewEncoder(conn)}
	if err := enc.send(frame{Call: &c}); err != nil {
		return 1, err
	}
	go sendInput(enc, s.In)
	go sendSizes(ctx, enc, s.Resized)
	return replies(json.NewDecoder(conn), s)
}

func sendInput(enc *sender, in io.Reader) {
	if in != nil {
		buf := make([]byte, 32<<10)
		for {
			n, err := in.Read(buf)
			if n > 0 && enc.send(frame{In: buf[:n]}) != nil {
				return
			}
			if err != nil {
				break
			}
		}
	}
	enc.send(frame{EOF: true}) //nolint:errcheck // the reader of replies sees a lost connection
}

func sendSizes(ctx context.Context, enc *sender, sizes <-chan Size) {
	for {
		select {
		case size, ok := <-sizes:
			if !ok || enc.send(frame{Size: &size}) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func replies(dec *json.Decoder, s Streams) (int, error) {
	for {
		var f frame
		if err := dec.Decode(&f); err != nil {
			return 1, fmt.Errorf("%w: %w", ErrLost, err)
		}
		if f.Exit != nil {
			return *f.Exit, nil
		}
		if _, err := s.Out.Write(f.Out); err != nil {
			return 1, err
		}
		if _, err := s.Err.Write(f.Err); err != nil {
			return 1, err
		}
	}
}
