package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"vitalog/key"
	"vitalog/op"
)

func (p *program) memberCommand() *cobra.Command {
	return group("member", "The organisations of the network", "  vitalog member list", p.memberListCommand())
}

func (p *program) memberListCommand() *cobra.Command {
	var genesis string
	c := &cobra.Command{
		Use: "list", Short: "The members, from the genesis",
		Long:    "Lists the organisations that found the network, from the genesis of --dir, --app or --genesis. Their order gives them their numbers.",
		Example: "  vitalog member list\n  vitalog member list --app maria --json\n  vitalog member list --genesis genesis.json", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	c.Flags().StringVar(&genesis, "genesis", "", "a genesis file")
	p.jsonFlag(c)
	c.RunE = p.soon(func(context.Context, []string) error {
		g, err := p.genesis(genesis)
		if err != nil {
			return err
		}
		rows := p.listing("NO", "NAME", "KIND", "ROLE", "SIGNING KEY")
		for i, m := range g.Members {
			role := "observer"
			if m.Validator {
				role = "validator"
			}
			err := rows.add(struct {
				Schema    string       `json:"schema"`
				Number    int          `json:"number"`
				Name      string       `json:"name"`
				Kind      string       `json:"kind"`
				Validator bool         `json:"validator"`
				Sign      key.Verifier `json:"sign"`
				Endpoint  string       `json:"endpoint"`
			}{"vitalog.member/v1", i, m.Name, string(m.Kind), m.Validator, m.Sign, m.Endpoint}, fmt.Sprint(i), m.Name, string(m.Kind), role, m.Sign.String())
			if err != nil {
				return err
			}
		}
		if !p.json {
			p.say("%s, network %v", g.Name, g.Network())
		}
		return rows.end("")
	})
	return c
}

// genesis reads the genesis that the flags lead to.
func (p *program) genesis(file string) (*op.Genesis, error) {
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		return op.ParseGenesis(b)
	}
	if p.app != "" {
		dir, _, err := p.findApp()
		if err != nil {
			return nil, err
		}
		return p.loadGenesis(dir)
	}
	m, err := p.member()
	if err != nil {
		return nil, err
	}
	return m.genesis, nil
}
