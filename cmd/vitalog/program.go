package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// program is one run: its streams, and the flags that commands share.
type program struct {
	in   *bufio.Reader
	out  io.Writer // data
	talk io.Writer // everything else

	dir     string // --dir
	as      string // --as
	app     string // --app
	json    bool   // --json
	timeout time.Duration

	passphraseFile  string // --passphrase-file
	passphraseStdin bool   // --passphrase-stdin

	began bool // a command's own work has begun: what fails before is a mistake in the command line
}

const defaultTimeout = time.Minute

func (p *program) root() *cobra.Command {
	c := &cobra.Command{
		Use:   "vitalog",
		Short: "Medical records that only the patient's consent opens, and no read without a trace",
		Long: `Vitalog is a network on which hospitals, laboratories, pharmacies, insurers and patients share medical records.
Data is sealed where it is made; the patient decides who may read it; every read is on the ledger before it happens.

First steps:
  vitalog demo          a whole network of synthetic people on this machine
  vitalog demo tour     the story, in the terminal
  vitalog init          your own member

Exit codes: 0 ok · 1 failure · 2 usage · 3 refused · 4 not found or not shared · 5 integrity · 6 no quorum or network · 7 locked`,
		Example:           "  vitalog demo\n  vitalog status --as st-elena",
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.NoArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	f := c.PersistentFlags()
	f.StringVar(&p.dir, "dir", "", "directory of the member, or of the demo (env VITALOG_DIR; default ~/.vitalog/member, for the demo ~/.vitalog/demo)")
	f.StringVar(&p.as, "as", "", "a member of the demo: st-elena, corner-pharmacy, …")
	f.DurationVar(&p.timeout, "timeout", 0, "how long to wait for the network (default 1m; no limit for what runs until it is stopped or done)")
	f.SortFlags = false
	c.AddCommand(
		p.demoCommand(), p.initCommand(), p.upCommand(), p.statusCommand(), p.doctorCommand(),
		p.importCommand(), p.patientCommand(), p.recordCommand(), p.consentCommand(), p.auditCommand(), p.verifyCommand(), p.indexCommand(), p.storageCommand(), p.receiptCommand(),
		p.keyCommand(), p.claimCommand(), p.portalCommand(), p.deviceCommand(), p.tokenCommand(), p.clientCommand(), p.memberCommand(), p.benchCommand(),
		p.versionCommand(), p.completionCommand(),
	)
	return c
}

// group is a noun whose verbs are commands.
func group(use, short, example string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Example: example, Args: cobra.ArbitraryArgs}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("%q is no verb of '%s'", args[0], c.CommandPath())
		}
		return fmt.Errorf("'%s' needs a verb", c.CommandPath())
	}
	c.AddCommand(verbs...)
	return c
}

// work is what a command does with its arguments.
type work func(ctx context.Context, args []string) error

// soon runs work that waits for the network: it ends after --timeout, a minute if it isn't given.
func (p *program) soon(w work) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		if p.timeout == 0 {
			p.timeout = defaultTimeout
		}
		return p.long(w)(c, args)
	}
}

// long runs work that takes its time.
func (p *program) long(w work) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		p.began = true
		if p.timeout < 0 {
			return misused("--timeout %v: want a time to come", p.timeout)
		}
		ctx := c.Context()
		if p.timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, p.timeout)
			defer cancel()
		}
		return w(ctx, args)
	}
}

func (p *program) jsonFlag(c *cobra.Command) {
	c.Flags().BoolVar(&p.json, "json", false, "print JSON instead of a table")
}

func (p *program) appFlag(c *cobra.Command) {
	c.Flags().StringVar(&p.app, "app", "", "as the patient whose keys are in this directory; in the demo the patient's name: maria")
}

func (p *program) passphraseFlags(c *cobra.Command) {
	c.Flags().StringVar(&p.passphraseFile, "passphrase-file", "", "file that holds the keyring's passphrase, mode 0600")
	c.Flags().BoolVar(&p.passphraseStdin, "passphrase-stdin", false, "read the passphrase from the first line of standard input")
}
