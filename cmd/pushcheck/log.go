package main

import (
	"io"
	"log/slog"

	"github.com/pushcheck/pushcheck/internal/wire"
)

// newLog logs text, with what its URLs hold scrubbed as that of a trace is.
func newLog(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		switch v := a.Value.Any().(type) {
		case error:
			a.Value = slog.StringValue(wire.ScrubMessage(v.Error()))
		case string:
			a.Value = slog.StringValue(wire.ScrubMessage(v))
		}
		return a
	}}))
}
