package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"vitalog/node"
)

func (p *program) upCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Run the member",
		Long: `Runs the member in --dir until SIGTERM or Ctrl-C, which finishes what is under way. Logs are JSON lines on standard error. When the member
can do its work, standard output gets one line, "ready" and the address of its FHIR endpoint.`,
		Example: "  vitalog up\n  vitalog up --dir /var/lib/vitalog --passphrase-file /run/secrets/vitalog",
		Args:    cobra.NoArgs,
	}
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		m, err := p.member()
		if err != nil {
			return err
		}
		passphrase, err := p.passphrase(m.config.Name, m.dir, m.config.PassphraseFile)
		if err != nil {
			return err
		}
		var level slog.Level
		if err := level.UnmarshalText([]byte(m.config.LogLevel)); err != nil {
			return fmt.Errorf("log_level in %s: %w", m.dir, err)
		}
		log := slog.New(slog.NewJSONHandler(p.talk, &slog.HandlerOptions{Level: level}))
		serving()
		return node.Keep(ctx, m.dir, passphrase, node.Options{Log: log, Cloud: openBucket}, func(n *node.Node) error {
			err := n.WaitReady(ctx)
			if err == nil {
				p.print("ready %s/fhir", m.config.URL())
				return nil
			}
			if ctx.Err() != nil {
				return nil
			}
			return err
		})
	})
	return c
}
