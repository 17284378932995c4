package drain

import (
	"context"
	"fmt"

	"github.com/nodeos-dev/gitd/internal/outbound"
	"github.com/nodeos-dev/gitd/internal/rfc5424"
)

// local0 is the facility of what apps say (RFC 5424, section 6.2.1).
const local0 = 16

// writeSize bounds what is written at once, in bytes: the receiver has rfc5424.WriteLimit for that much.
const writeSize = 16 << 10

// syslogSink sends messages of RFC 5424, counted (RFC 6587, and RFC 5425 with TLS). The protocol has no answers: a line
// counts as sent when the host's network stack has it.
type syslogSink struct {
	to    address
	reach outbound.Reach
	host  string
	conn  *rfc5424.Conn // nil: not connected
}

func (s *syslogSink) send(ctx context.Context, batch []record) error {
	if s.conn == nil {
		dial := s.reach.Dial
		if s.to.kind == syslogTLS {
			dial = s.reach.DialTLS
		}
		conn, err := dial(ctx, "tcp", s.to.host)
		if err != nil {
			return err
		}
		s.conn = rfc5424.NewConn(conn, true)
	}
	defer context.AfterFunc(ctx, func() { s.conn.Close() })() // a receiver that takes nothing does not hold up the end
	var waiting [][]byte
	size := 0
	for i, r := range batch {
		m := s.message(r).Append(nil)
		waiting, size = append(waiting, m), size+len(m)
		if size < writeSize && i < len(batch)-1 {
			continue
		}
		if err := s.conn.Send(waiting...); err != nil {
			s.close()
			return fmt.Errorf("the receiver does not take more: %w", err)
		}
		waiting, size = waiting[:0], 0
	}
	return nil
}

// message is a line as Heroku's drains have it: the process beside the program, which is the app. The stream is the
// kind of the message; all lines of apps have one severity, since Node writes warnings and progress to stderr alike.
func (s *syslogSink) message(r record) rfc5424.Message {
	m := rfc5424.Message{
		Facility: local0, Severity: rfc5424.Info, Time: r.Time, Host: s.host, App: r.app, Process: r.who(), ID: r.Stream,
		Fields: []rfc5424.Field{{Name: "release", Value: r.release()}}, Text: r.Text,
	}
	if r.Stream == "nodeos" {
		m.Severity = rfc5424.Notice
	}
	return m
}

func (s *syslogSink) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}
