package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"vitalog/internal/demo"
	"vitalog/node"
)

// base is the directory that was given, or its default under the user's home.
func (p *program) base(name string) (string, error) {
	if p.dir != "" {
		return p.dir, nil
	}
	if d := os.Getenv("VITALOG_DIR"); d != "" {
		return d, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", advise(fmt.Errorf("there is no home directory: %w", err), "give --dir, or set VITALOG_DIR")
	}
	return filepath.Join(home, ".vitalog", name), nil
}

// memberDir is the member that --dir and --as mean.
func (p *program) memberDir() (string, error) {
	name := "member"
	if p.as != "" {
		name = "demo"
	}
	dir, err := p.base(name)
	if err != nil {
		return "", err
	}
	s, err := demo.LoadState(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.as == "":
		return dir, nil
	case err != nil:
		return "", advise(fmt.Errorf("--as %s: no demo in %s: %w", p.as, dir, err), "vitalog demo")
	case p.as == "":
		return "", advise(misused("%s holds a demo, not one member", dir), "say which with --as: %s", strings.Join(names(s), ", "))
	}
	for _, m := range s.Members {
		if m.Name == p.as {
			return filepath.Join(dir, "members", m.Name), nil
		}
	}
	return "", misused("--as %s: the demo has %s", p.as, strings.Join(names(s), ", "))
}

// demoState is the demo in --dir; without --dir the one under the user's home, unless a member of one's own is there.
func (p *program) demoState() (base string, s *demo.State, err error) {
	if base, err = p.base("member"); err != nil {
		return "", nil, err
	}
	if _, own := os.Stat(filepath.Join(base, node.ConfigFile)); own != nil {
		if base, err = p.base("demo"); err != nil {
			return "", nil, err
		}
	}
	s, err = demo.LoadState(base)
	return base, s, err
}

func names(s *demo.State) (out []string) {
	for _, m := range s.Members {
		out = append(out, m.Name)
	}
	return out
}

// given are the flags that lead a following command to the same place.
func (p *program) given() string {
	out := ""
	if p.dir != "" {
		out += " --dir " + p.dir
	}
	if p.as != "" {
		out += " --as " + p.as
	}
	return out
}
