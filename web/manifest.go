package web

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Limits of an app that a member hands out.
const (
	maxFiles    = 1024
	maxFile     = 16 << 20 // bytes
	maxPath     = 200      // bytes
	maxManifest = maxFiles * (64 + 2 + maxPath + 1)
)

// Listed is a line of a manifest.
type Listed struct {
	Hash string // SHA-256, in hex
	Path string // without a slash before it
}

var paths = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$`)

var errManifest = errors.New("no manifest of an app")

// ParseManifest reads a manifest (spec/portal.md), and refuses every form but the one.
func ParseManifest(b []byte) ([]Listed, error) {
	bad := func(line int, why string) error { return fmt.Errorf("%w: line %d: %s", errManifest, line, why) }
	var out []Listed
	for line := range strings.Lines(string(b)) {
		n := len(out) + 1
		hash, path, ok := strings.Cut(line, "  ")
		path, ended := strings.CutSuffix(path, "\n")
		_, err := hex.DecodeString(hash)
		switch {
		case n > maxFiles:
			return nil, bad(n, "too many files")
		case !ok || !ended || err != nil || len(hash) != 64 || strings.ToLower(hash) != hash:
			return nil, bad(n, "want a SHA-256, two spaces, a path and a line feed")
		case len(path) > maxPath || !paths.MatchString(path):
			return nil, bad(n, "a path that is none")
		case n > 1 && path <= out[n-2].Path:
			return nil, bad(n, "paths that don't ascend")
		}
		out = append(out, Listed{Hash: hash, Path: path})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: it is empty", errManifest)
	}
	return out, nil
}
