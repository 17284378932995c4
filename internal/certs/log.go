package certs

import (
	"slices"

	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapOf is a logger for certmagic that writes to log. What it says of its work is for debugging; of what goes wrong the
// Keeper tells itself, once and in its own words.
func zapOf(log zerolog.Logger) *zap.Logger { return zap.New(debugOnly{log: log}) }

type debugOnly struct {
	log    zerolog.Logger
	fields []zapcore.Field
}

// Enabled implements zapcore.Core.
func (c debugOnly) Enabled(zapcore.Level) bool { return c.log.GetLevel() <= zerolog.DebugLevel }

// With implements zapcore.Core.
func (c debugOnly) With(fields []zapcore.Field) zapcore.Core {
	return debugOnly{c.log, slices.Concat(c.fields, fields)}
}

// Check implements zapcore.Core.
func (c debugOnly) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return checked.AddCore(e, c)
	}
	return checked
}

// Write implements zapcore.Core.
func (c debugOnly) Write(e zapcore.Entry, fields []zapcore.Field) error {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range slices.Concat(c.fields, fields) {
		f.AddTo(enc)
	}
	c.log.Debug().Fields(enc.Fields).Str("from", "certmagic").Msg(e.Message)
	return nil
}

// Sync implements zapcore.Core.
func (debugOnly) Sync() error { return nil }
