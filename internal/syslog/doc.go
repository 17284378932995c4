// Package syslog sends the audit, and the events of the doors, to a receiver of syslog messages (RFC 5424).
//
// It owns the form of a message and its way: a bounded queue, the connection, and the count of what was dropped. It
// does not own what happens (package audit). It never makes gitd wait.
//
// The writers that there are were rejected: log/syslog of the standard library writes the older form without fields,
// and waits for its receiver; the builder of github.com/leodido/go-syslog drops every value that it cannot write, such
// as one with a quote, without an error. Its parser reads our messages in the tests.
package syslog
