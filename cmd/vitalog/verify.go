package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"vitalog/consensus"
	"vitalog/exchange"
	"vitalog/node"
)

func (p *program) verifyCommand() *cobra.Command {
	var all, heal bool
	var o portalCheck
	c := &cobra.Command{
		Use:   "verify",
		Short: "Hold the member's stores against the ledger, byte by byte",
		Long: `Has the running member read every ciphertext, header and message that its ledger names, and hold it against the ledger's hashes; and the copies that it keeps as an author. With --all
also the ledger itself: each log's entries hash to its head, and each head to the state that the validators signed; what the member
noted about charts; and what no entry names is counted. Each damage is named with record, block and writer. With --heal another member's
copy takes its place; of an author copy there is no other.

Exit code 5 if something is damaged and not healed; 6 if, with --all, too few validators are up to sign the newest state.

With --portal it holds the patient's app that a member hands out against the one in this program, file by file, and needs no member of one's
own. With --genesis or --network it must be the release that more than a third of the validators anchored on the ledger, as their
signatures prove. Exit code 5 if anything differs, 6 if the member can't be reached.`,
		Example: "  vitalog verify --all\n  vitalog verify --portal https://elena.example --genesis genesis.json\n  vitalog verify --all --heal --json\n  vitalog verify receipt labs-12.receipt --genesis genesis.json",
		Args:    cobra.NoArgs,
	}
	c.Flags().BoolVar(&all, "all", false, "everything: also the ledger's hashes, the member's notes, and what no entry names")
	c.Flags().BoolVar(&heal, "heal", false, "fetch what is damaged from another member")
	c.Flags().StringVar(&o.address, "portal", "", "address of a member: compare the patient's app that it hands out")
	c.Flags().StringVar(&o.release, "release", "", "with --portal: the release to compare with, 64 hex digits")
	c.Flags().StringVar(&o.genesis, "genesis", "", "with --portal: a genesis file that you trust; compare with the release that the members anchored")
	c.Flags().StringVar(&o.network, "network", "", "with --portal: the network's id, instead of --genesis")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		switch {
		case o.address != "" && (all || heal), o.address == "" && o != portalCheck{}:
			return misused("--portal goes with --release, --genesis, --network and --json alone, and these with --portal")
		case o.address != "":
			return p.verifyPortal(ctx, o)
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		left, alone := 0, 0
		var checked *exchange.Checked
		bar := p.progress()
		err = m.verify(ctx, fmt.Sprintf("verify?all=%t&heal=%t", all, heal), func(l *node.VerifyLine) error {
			if l.Damage != nil && !l.Damage.Healed {
				left++
				if l.Damage.Alone() {
					alone++
				}
			}
			if l.Progress != nil {
				bar.show("%s", looked(l.Progress))
				return nil
			}
			bar.done()
			checked = l.Checked
			return p.verified(l)
		})
		bar.done()
		switch {
		case err != nil && left > 0:
			return errors.Join(damagedItems(left), err)
		case err != nil:
			return err
		case checked == nil:
			return fmt.Errorf("%s: %w: it ended before everything was looked at", m.config.Name, errAway)
		case left > 0 && left == alone:
			return advise(damagedItems(left), "nobody else has this member's author copies: what is lost of them is lost, but for a backup of its bucket or its data")
		case left > 0 && heal:
			return advise(damagedItems(left), "no other member had a whole copy: look at 'vitalog status' of the others, then try again")
		case left > 0:
			return advise(damagedItems(left), "vitalog verify --heal%s", p.given())
		}
		return nil
	})
	c.AddCommand(p.verifyReceiptCommand(), p.verifyCertificateCommand())
	return c
}

func damagedItems(n int) error { return fmt.Errorf("%s: %w", count(n, "sealed item"), errAltered) }

// verified shows a damage, or what was looked at.
func (p *program) verified(l *node.VerifyLine) error {
	switch {
	case p.json:
		return p.line(l)
	case l.Damage != nil:
		mark := "✗"
		if l.Damage.Healed {
			mark = "✓"
		}
		p.print("%s %v", mark, l.Damage)
	case l.Checked != nil:
		p.print("checked %s", looked(l.Checked))
		if l.Checked.Pending > 0 {
			p.print("%s on their way here from other members", count(l.Checked.Pending, "sealed item"))
		}
		if l.Checked.Of > 0 {
			p.print("the ledger is that which %d of %d validators signed; %s checked; %s (%.1f MB) that no entry names", l.Checked.Signed, l.Checked.Of,
				count(l.Checked.Notes, "note"), count(l.Checked.Unreferenced, "blob"), float64(l.Checked.UnreferencedBytes)/1e6)
		}
	}
	return nil
}

func looked(k *exchange.Checked) string {
	return fmt.Sprintf("%s, %s, %s, %s, %.1f MB", count(k.Logs, "log"), entries(k.Entries), count(k.Blobs, "sealed item"), count(k.Headers, "header"), float64(k.Bytes)/1e6)
}

// verify has the member look, and hands on each line as it comes.
func (m *member) verify(ctx context.Context, what string, each func(*node.VerifyLine) error) error {
	return eachLine(ctx, m, what, nil, func(l *node.VerifyLine) error {
		switch {
		case l.NoQuorum:
			return fmt.Errorf("%s: all was looked at but the newest state, which is not signed: %w", m.config.Name, consensus.ErrNoQuorum)
		case l.Error != "":
			return fmt.Errorf("%s: verifying: %s", m.config.Name, l.Error)
		}
		return each(l)
	})
}

// eachLine asks the member for what may take hours, and hands on each line of the answer as it comes.
func eachLine[L any](ctx context.Context, m *member, what string, body io.Reader, each func(*L) error) error {
	resp, err := m.open(ctx, operator(), http.MethodPost, node.ControlPrefix+what, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := json.NewDecoder(resp.Body)
	for {
		var l L
		switch err := lines.Decode(&l); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w: %w", m.config.Name, errAway, err)
		}
		if err := each(&l); err != nil {
			return err
		}
	}
}

func entries(n uint64) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}
