// Package notify tells receivers elsewhere what happens to apps and to the host: webhooks.
//
// It owns the webhooks, what a message says, its signature (Standard Webhooks), and how often it is tried. It does not
// own what happens: that stands in the audit, which is the queue of every webhook. So nobody waits for a receiver, and
// a restart of gitd forgets no message.
package notify
