package main

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"vitalog/cloud"
	"vitalog/node"
	"vitalog/op"
)

var kinds = []op.MemberKind{op.Provider, op.Pharmacy, op.Lab, op.Insurer, op.Research, op.Registry}

func (p *program) initCommand() *cobra.Command {
	var name, kind, host, bucket string
	c := &cobra.Command{
		Use:   "init",
		Short: "Found a network of one member",
		Long: `Makes the directory of a member that founds a network alone: keyring, genesis and a configuration with its manual in it.
The keyring is sealed with a passphrase. Whoever loses it loses the member's keys, and with them the patients in its custody.
Its addresses get ports that are free now; VITALOG_PORTS=20000-20099 in the environment says from which they are taken.`,
		Example: "  vitalog init --name \"St. Elena Hospital\" --kind provider\n  vitalog init --name \"City Lab\" --kind lab --passphrase-file /run/secrets/vitalog",
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVar(&name, "name", "", "name of the organisation; public")
	c.Flags().StringVar(&kind, "kind", "provider", "provider, pharmacy, lab, insurer, research or registry")
	c.Flags().StringVar(&host, "host", "", "host name of its addresses (default localhost)")
	c.Flags().StringVar(&bucket, "bucket", "", "where its ciphertext lies for good: s3://…, azblob://…, gs://… or file:///… (default: in the directory)")
	p.passphraseFlags(c)
	c.RunE = p.soon(func(_ context.Context, _ []string) error {
		if name == "" {
			return misused("--name is missing: the organisation's name")
		}
		if !slices.Contains(kinds, op.MemberKind(kind)) {
			return misused("--kind %s: want one of %v", kind, kinds)
		}
		if bucket != "" {
			if err := cloud.CheckURL(bucket); err != nil { // before it stands in a file
				return misused("--bucket: %v", err)
			}
		}
		dir, err := p.base("member")
		if err != nil {
			return err
		}
		passphrase, err := p.newPassphrase("the keyring of " + name)
		if err != nil {
			return err
		}
		f := node.Founder{Dir: dir, Name: name, Kind: op.MemberKind(kind), Validator: true, Host: host, Bucket: bucket, Passphrase: bytes.Clone(passphrase)}
		if _, err := node.Found(name, op.DefaultParams, []node.Founder{f}); err != nil {
			return err
		}
		g, err := node.LoadGenesis(dir)
		if err != nil {
			return err
		}
		cfg, err := node.Load(dir)
		if err != nil {
			return err
		}
		if p.passphraseFile != "" { // the file is where the program finds it again
			if cfg.PassphraseFile, err = filepath.Abs(p.passphraseFile); err != nil {
				return err
			}
			if err := cfg.Save(dir); err != nil {
				return err
			}
		}
		p.print("network  %v\nmember   %s\nFHIR     %s/fhir\nsettings %s", g.Network(), name, cfg.URL(), filepath.Join(dir, node.ConfigFile))
		p.say("next: vitalog up%s", p.given())
		return nil
	})
	return c
}
