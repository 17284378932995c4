package main

import "github.com/nodeos-dev/gitd/internal/guest"

// backlog is a queue of messages that knows how much output it holds.
type backlog struct {
	messages []guest.Message
	lines    int // log messages
	bytes    int // of their text
}

func (b *backlog) add(m guest.Message) {
	b.messages = append(b.messages, m)
	b.count(m, 1)
}

func (b *backlog) count(m guest.Message, n int) {
	if m.Kind == guest.KindLog {
		b.lines += n
		b.bytes += n * len(m.Log.Line)
	}
}

// take removes the first message.
func (b *backlog) take() guest.Message {
	m := b.messages[0]
	b.messages[0] = guest.Message{}
	b.messages = b.messages[1:]
	b.count(m, -1)
	return m
}

// replace puts m in the place of a message of its kind, if there is one.
func (b *backlog) replace(m guest.Message) bool {
	for i := len(b.messages) - 1; i >= 0; i-- {
		if b.messages[i].Kind == m.Kind {
			b.messages[i] = m
			return true
		}
	}
	return false
}

// dropLine drops the oldest log message and returns how many lines were lost before it, as it said.
func (b *backlog) dropLine() int {
	for i, m := range b.messages {
		if m.Kind == guest.KindLog {
			// There are few states, so this moves next to nothing: mostly i is 0.
			copy(b.messages[1:i+1], b.messages[:i])
			b.messages[0] = m
			return b.take().Log.Dropped
		}
	}
	return 0
}
