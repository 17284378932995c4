// Package syslog sends the audit, and the events of the doors, to a receiver of syslog messages (RFC 5424).
//
// It owns what a message says, the bounded queue, and the count of what was dropped. It does not own what happens
// (package audit) nor how a message is written (package rfc5424). It never makes gitd wait.
package syslog
