package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (p *program) auditCommand() *cobra.Command {
	return group("audit", "Who saw what, when and why, as the patient", "  vitalog audit list --app maria\n  vitalog audit export --app maria -o activity.jsonl",
		p.auditListCommand(), p.auditShowCommand(), p.auditExportCommand())
}

func (p *program) auditListCommand() *cobra.Command {
	var refused bool
	c := &cobra.Command{
		Use: "list", Short: "Every access, newest first",
		Long: `Lists who asked, at which organisation, for what and why, what came of it, and the block. The list is complete: every log was read to the
end, hashed, and held against a receipt that the validators signed. A log in which something is missing fails with exit code 5 or 1.`,
		Example: "  vitalog audit list --app maria\n  vitalog audit list --app ~/my-health --refused --json", Args: cobra.NoArgs,
	}
	p.appFlag(c)
	c.Flags().BoolVar(&refused, "refused", false, "only what was refused")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.asPatient(func(ctx context.Context, a *app, _ []string) error {
		all, err := a.Activity(ctx)
		if err != nil {
			return err
		}
		rows := p.listing("WHEN", "WHO", "ORGANISATION", "WHAT", "WHY", "RESULT", "BLOCK", "ROW")
		for _, r := range all.Rows {
			s := seenRow(r)
			if refused && s.Result != "refused" {
				continue
			}
			if err := rows.add(s, stamp(s.At), s.who(), s.Organisation, s.what(), s.why(), s.result(), fmt.Sprint(s.Block), rowName(s)); err != nil {
				return err
			}
		}
		end := a.proof(all)
		if p.json {
			return p.line(end)
		}
		if !rows.empty() {
			if err := rows.end(""); err != nil {
				return err
			}
		}
		if !end.Proven {
			return fmt.Errorf("the list could not be proven complete: %w", errAltered)
		}
		p.say("%s %s, complete: %d of %d validators signed that nothing is missing", p.green("✓"), count(end.Rows, "access row"), end.Signed, end.Of)
		return nil
	})
	return c
}

// rowName is what 'audit show' takes.
func rowName(s seen) string { return fmt.Sprintf("%s/%d", s.Section, s.Entry) }

func (p *program) auditShowCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show ROW", Short: "One access in full, with its proof",
		Long:    "Shows everything that was told about one access, and a receipt of it, checked against this app's own genesis.",
		Example: "  vitalog audit show --app maria vitals/31", Args: cobra.ExactArgs(1),
	}
	p.appFlag(c)
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, args []string) error {
		name, number, ok := strings.Cut(args[0], "/")
		entry, err := strconv.ParseUint(number, 10, 64)
		if !ok || err != nil {
			return misused("%q: want a row like vitals/31, as 'vitalog audit list' shows it", args[0])
		}
		a, err := p.patient()
		if err != nil {
			return err
		}
		all, err := a.Activity(ctx)
		if err != nil {
			return err
		}
		for _, r := range all.Rows {
			if r.Section.String() != name || r.Entry != entry {
				continue
			}
			rc, v, err := a.receipt(ctx, r.Log, r.Entry)
			if err != nil {
				return err
			}
			s := seenRow(r)
			if p.json {
				s.Receipt = rc.Encode()
				return p.line(s)
			}
			p.print("when          %s\nwho           %s\nnumber        %s\norganisation  %s\nwhat          %s\nwhy           %s\nresult        %s", s.At.Local().Format(time.RFC1123), s.who(),
				s.Practitioner, s.Organisation, s.what(), s.why(), s.result())
			p.print("proof         block %d, entry %d of %v; %d of %d validators signed", s.Block, s.Entry, s.Log, v.Signed, v.Of)
			return nil
		}
		return advise(fmt.Errorf("there is no row %s", args[0]), "vitalog audit list --app %s", p.app)
	})
	return c
}
