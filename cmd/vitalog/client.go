package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vitalog/smart"
)

func (p *program) clientCommand() *cobra.Command {
	return group("client", "Software that may ask the member for tokens", "  vitalog client add app.json", p.clientAddCommand(), p.clientListCommand(), p.clientRemoveCommand())
}

func (p *program) clientAddCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "add FILE", Short: "Register software, or change its registration",
		Long: `Reads a registration: JSON with client_id, client_name, scope, purposes_of_use (v3-ActReason, the first is the default), redirect_uris for
software that people use, and jwks or jwks_uri with the public keys of software that proves who it is. There are no secrets in it: where
token_endpoint_auth_method is client_secret_basic the member makes one, anew at each registration, and it is shown this once. "-" reads standard input. The member must be running.`,
		Example: "  vitalog client add app.json\n  vitalog client add - < app.json", Args: cobra.ExactArgs(1),
	}
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, args []string) error {
		raw, err := readRegistration(args[0])
		if err != nil {
			return err
		}
		client, err := smart.ParseClient(raw)
		if err != nil {
			return usage{err}
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		answer := smart.Registered{Client: client}
		if err := m.control(ctx, http.MethodPost, "clients", bytes.NewReader(raw), &answer); err != nil {
			return err
		}
		p.print("%s, %s, may ask for %s", client.ID, client.Name, client.Scope)
		if answer.Secret != "" {
			p.print("Its secret, shown this once: %s", answer.Secret)
		}
		return nil
	})
	return c
}

func readRegistration(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, 1<<17))
	}
	return os.ReadFile(path)
}

func (p *program) clientListCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "The registered software", Long: "Lists the software that may ask the running member for tokens.",
		Example: "  vitalog client list\n  vitalog client list --json", Args: cobra.NoArgs,
	}
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		m, err := p.member()
		if err != nil {
			return err
		}
		var all []smart.Client
		if err := m.control(ctx, http.MethodGet, "clients", nil, &all); err != nil {
			return err
		}
		rows := p.listing("CLIENT", "NAME", "PURPOSES", "SCOPE")
		for _, one := range all {
			err := rows.add(struct {
				Schema string `json:"schema"`
				smart.Client
			}{"vitalog.client/v1", one}, one.ID, one.Name, strings.Join(one.Purposes, " "), one.Scope)
			if err != nil {
				return err
			}
		}
		return rows.end("no software is registered: 'vitalog client add'")
	})
	return c
}

func (p *program) clientRemoveCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "remove ID", Short: "End a registration",
		Long:    "Ends the registration of software: it gets no more tokens, and those that it has are good for nothing.",
		Example: "  vitalog client remove growth-chart", Args: cobra.ExactArgs(1),
	}
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, args []string) error {
		m, err := p.member()
		if err != nil {
			return err
		}
		return m.control(ctx, http.MethodDelete, "clients?"+url.Values{"client": {args[0]}}.Encode(), nil, &struct{}{})
	})
	return c
}
