package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"vitalog/grant"
	"vitalog/node"
	"vitalog/op"
	"vitalog/receipt"
	"vitalog/web"
)

// release is the version of the program; a build from a tagged module says it better.
const release = "0.1.0"

type version struct {
	Schema   string         `json:"schema"`
	Version  string         `json:"version"`
	Revision string         `json:"revision,omitempty"`
	Modified bool           `json:"modified,omitempty"`
	Go       string         `json:"go"`
	Platform string         `json:"platform"`
	App      string         `json:"app"`     // release of the patient's app in it (spec/portal.md)
	Formats  map[string]int `json:"formats"` // newest version that this program reads and writes
}

func thisVersion() (version, error) {
	app, err := web.New()
	if err != nil {
		return version{}, err
	}
	v := version{Schema: "vitalog.version/v1", Version: release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, App: app.Release(),
		Formats: map[string]int{"directory": node.Format, "genesis": op.Version, "grant": grant.Version, "receipt": receipt.Version, "app": appFormat}}
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	return v, nil
}

func (p *program) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "version", Short: "Version of the program, and of the formats that it reads",
		Example: "  vitalog version\n  vitalog version --json", Args: cobra.NoArgs,
	}
	p.jsonFlag(c)
	c.RunE = p.soon(func(context.Context, []string) error {
		v, err := thisVersion()
		if err != nil {
			return err
		}
		if p.json {
			return p.line(v)
		}
		text := "vitalog " + v.Version
		if v.Revision != "" {
			text += " (" + v.Revision[:min(len(v.Revision), 12)]
			if v.Modified {
				text += ", modified"
			}
			text += ")"
		}
		p.print("%s %s %s, app %s", text, v.Go, v.Platform, v.App[:12])
		return nil
	})
	return c
}
