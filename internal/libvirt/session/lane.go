package session

import (
	"context"

	"libvirt.org/go/libvirt"

	"github.com/nodeos-dev/gitd/internal/latch"
)

// mostIdle is how many lanes are kept for the calls to come.
const mostIdle = 4

// Beside calls f with a connection beside l that nothing else uses: a lane. If libvirt is no other process, f has l.
//
// Calls do not share a connection to a daemon: libvirt's client before 10.3 leaves a pointer into the stack of one
// call where the next one, of another thread, follows it (CVE-2024-4418; Debian 12 has 9.0). That took gitd down when a
// daemon hung. Events come on l, on which nobody calls anything once it is in use.
func (s *Session) Beside(ctx context.Context, l *Link, f func(*Link) error) error {
	if !s.Daemon {
		return f(l)
	}
	lane, err := s.lane(ctx, l)
	if err != nil {
		return err
	}
	defer s.leave(lane)
	return f(lane)
}

// Stream returns a stream that does not block. It is alone on the connection when the call that l was given to has
// ended: the sending and receiving of many streams on one connection would be calls of many threads too.
func (l *Link) Stream() (*libvirt.Stream, error) {
	l.stream = true
	return l.Conn.NewStream(libvirt.STREAM_NONBLOCK)
}

// lane returns a connection beside l that no call uses. The caller leaves it.
func (s *Session) lane(ctx context.Context, l *Link) (*Link, error) {
	for lane := s.idle(l); lane != nil; lane = s.idle(l) {
		if !lane.Dead() {
			return lane, nil
		}
		lane.close()
	}
	ctx, cancel := context.WithTimeout(ctx, awayLimit)
	defer cancel()
	conn, err := Connect(ctx, s.URI)
	if err != nil {
		return nil, err
	}
	if err := keepAlive(conn); err != nil {
		s.Log.Debug().Err(err).Msg("libvirt does not report a lost connection")
	}
	return &Link{Conn: conn, over: l.over, trunk: l}, nil
}

func (s *Session) idle(l *Link) *Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(l.lanes)
	if n == 0 {
		return nil
	}
	lane := l.lanes[n-1]
	l.lanes = l.lanes[:n-1]
	return lane
}

// leave is the opposite of lane. A connection with a stream is left to the stream.
func (s *Session) leave(lane *Link) {
	useful := !lane.stream && !lane.Dead()
	s.mu.Lock()
	useful = useful && !latch.Closed(lane.over) && len(lane.trunk.lanes) < mostIdle
	if useful {
		lane.trunk.lanes = append(lane.trunk.lanes, lane)
	}
	s.mu.Unlock()
	if !useful {
		lane.close()
	}
}

// close gives the connection up. It ends with the last stream on it.
func (l *Link) close() {
	l.Conn.Close() // what the close of a lost connection says helps nobody
}

// keepAlive has libvirt's client ask the daemon whether it is there.
func keepAlive(conn *libvirt.Connect) error {
	return conn.SetKeepAlive(keepAlivePeriod, keepAliveCount)
}
