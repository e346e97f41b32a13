package consensus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// logger passes the engine's warnings and errors on, with the attributes that hold neither transactions nor keys.
type logger struct {
	log   *slog.Logger
	node  *Node
	attrs []any
}

var passed = map[string]bool{"module": true, "height": true, "round": true, "err": true, "error": true, "stack": true}

func (l logger) Debug(string, ...any)           {}
func (l logger) Info(string, ...any)            {}
func (l logger) Warn(text string, attrs ...any) { l.emit(slog.LevelWarn, text, attrs) }

// Error is a warning here: the engine goes on. What stops a node comes through Node.fail, but for one thing: where the engine can't write
// its own log or the last vote, it gives up and says so here alone.
func (l logger) Error(text string, attrs ...any) {
	l.emit(slog.LevelWarn, text, attrs)
	if strings.HasPrefix(text, "CONSENSUS FAILURE") {
		_ = l.node.fail(gaveUp(attrs))
	}
}

func gaveUp(attrs []any) error {
	for i := 0; i+1 < len(attrs); i += 2 {
		if err, ok := attrs[i+1].(error); ok {
			return fmt.Errorf("the engine gave up: %w", err)
		}
		if attrs[i] == "err" {
			return fmt.Errorf("the engine gave up: %v", attrs[i+1])
		}
	}
	return errors.New("the engine gave up")
}

func (l logger) With(attrs ...any) cmtlog.Logger {
	return logger{l.log, l.node, append(l.attrs[:len(l.attrs):len(l.attrs)], pick(attrs)...)}
}

func (l logger) emit(level slog.Level, text string, attrs []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.With(l.attrs...).Log(context.Background(), level, "engine: "+text, pick(attrs)...)
	}
}

func pick(attrs []any) []any {
	var out []any
	for i := 0; i+1 < len(attrs); i += 2 {
		if name, ok := attrs[i].(string); ok && passed[name] {
			out = append(out, name, attrs[i+1])
		}
	}
	return out
}
