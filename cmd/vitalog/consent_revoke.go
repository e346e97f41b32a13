package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/section"
)

func (p *program) consentRevokeCommand() *cobra.Command {
	var from, sections, purpose string
	var all, yes, dryRun bool
	c := &cobra.Command{
		Use:   "revoke",
		Short: "Stop sharing, as the patient",
		Long: `Ends grants. It holds from the next read, also for older records that were not opened yet; what was opened can't be un-seen, and
'vitalog audit list' says what that was.`,
		Example: "  vitalog consent revoke --app maria --from \"St. Elena Hospital\"\n  vitalog consent revoke --app maria --from st-elena --sections vitals\n  vitalog consent revoke --app maria --all --yes",
		Args:    cobra.NoArgs,
	}
	p.appFlag(c)
	c.Flags().StringVar(&from, "from", "", "the organisation, or the device: its name, the beginning of it, or its number")
	c.Flags().StringVar(&sections, "sections", "", "only these sections (default every one)")
	c.Flags().StringVar(&purpose, "purpose", "", "only grants for this purpose (default every one)")
	c.Flags().BoolVar(&all, "all", false, "all sharing with everybody")
	c.Flags().BoolVar(&yes, "yes", false, "don't ask")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would end, and stop")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		if (from == "") == !all {
			return misused("say who loses access: --from, or --all for everybody")
		}
		a, err := p.patient()
		if err != nil {
			return err
		}
		which, who, err := a.stops(from, sections, purpose)
		if err != nil {
			return err
		}
		list, err := a.Sharing(ctx)
		if err != nil {
			return err
		}
		var ends []section.Section
		for _, g := range list {
			if !g.Revoked && which(g) && !slices.Contains(ends, g.Section) {
				ends = append(ends, g.Section)
			}
		}
		if len(ends) == 0 {
			return advise(fmt.Errorf("there is nothing to stop: %s holds no such grant", who), "vitalog consent list --app %s", p.app)
		}
		sentence := fmt.Sprintf("%s loses access to %s, at once.", who, sentenceOf(ends))
		if dryRun {
			p.print("%s", sentence)
			return nil
		}
		if err := p.confirm(yes, sentence); err != nil {
			return err
		}
		done, err := a.Stop(ctx, which)
		if err != nil {
			return err
		}
		return a.final(ctx, "vitalog.revoke/v1", done)
	})
	return c
}

// stops tells which grants the flags mean, and who holds them in words.
func (a *app) stops(from, sections, purpose string) (which func(exchange.Shared) bool, who string, err error) {
	only := section.All()
	if sections != "" {
		if only, err = parseSections(sections); err != nil {
			return nil, "", err
		}
	}
	fits := func(g exchange.Shared) bool {
		return slices.Contains(only, g.Section) && (purpose == "" || g.Purpose == purpose)
	}
	if from == "" {
		return fits, "everybody", nil
	}
	n, err := findMember(a.genesis, from)
	if err != nil { // a device of the patient's, a person and a health link have any name
		return func(g exchange.Shared) bool {
			return g.Member < 0 && (g.Device == from || g.Proxy == from || g.Link && g.Label == from) && fits(g)
		}, from, nil
	}
	return func(g exchange.Shared) bool { return g.Member == n && fits(g) }, a.organisation(n), nil
}
