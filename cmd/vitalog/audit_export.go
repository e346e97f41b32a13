package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"vitalog/key"
	"vitalog/receipt"
)

func (p *program) auditExportCommand() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "export", Short: "Every access with its receipt, as JSON Lines",
		Long: `Writes one line per access, each with the receipt that proves it to whoever has the network's genesis, and a last line that says how
many there are. 'vitalog verify receipt' checks the file offline.`,
		Example: "  vitalog audit export --app maria -o activity.jsonl\n  vitalog verify receipt activity.jsonl --genesis genesis.json", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	c.Flags().StringVarP(&to, "output", "o", "", "file, mode 0600 (default standard output)")
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, _ []string) error {
		all, err := a.Activity(ctx)
		if err != nil {
			return err
		}
		write := func() error {
			g := p.progress()
			defer g.done()
			for i, r := range all.Rows {
				rc, _, err := a.receipt(ctx, r.Log, r.Entry)
				if err != nil {
					return err
				}
				s := seenRow(r)
				s.Receipt = rc.Encode()
				if err := p.line(s); err != nil {
					return err
				}
				g.show("%d of %d rows", i+1, len(all.Rows))
			}
			return p.line(a.proof(all))
		}
		if to == "" {
			return write()
		}
		err = p.into(to, write)
		if err == nil {
			p.say("%s in %s", count(len(all.Rows), "access row"), to)
		}
		return err
	})
	return c
}

// into makes a file the output of write. It is in its place only when it is whole.
func (p *program) into(path string, write func() error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when it was renamed
	out, b := p.out, bufio.NewWriter(f)
	p.out = b
	err = write()
	p.out = out
	if e := b.Flush(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// receipt gets the receipt of an entry and holds it against the app's own genesis.
func (a *app) receipt(ctx context.Context, log key.Log, entry uint64) (*receipt.Receipt, *receipt.Verified, error) {
	r, err := a.home.Receipt(ctx, log, entry)
	if err != nil {
		return nil, nil, err
	}
	v, err := r.Verify(a.genesis)
	if err != nil {
		return nil, nil, err
	}
	if v.Log != log || v.Number != entry {
		return nil, nil, fmt.Errorf("the receipt is about another entry than %d of %v: %w", entry, log, errAltered)
	}
	return r, v, nil
}
