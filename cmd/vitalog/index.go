package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"vitalog/consensus"
	"vitalog/exchange"
	"vitalog/node"
)

func (p *program) indexCommand() *cobra.Command {
	return group("index", "The index for searches across patients", "  vitalog index rebuild --purpose TREAT --reason \"search across patients\"", p.indexRebuildCommand())
}

func (p *program) indexRebuildCommand() *cobra.Command {
	o := node.ReindexOrder{Asker: exchange.Asker{Practitioner: "operator", Name: "Operator", Role: node.ControlRole}}
	c := &cobra.Command{
		Use:   "rebuild",
		Short: "Open the records that searches across patients lack",
		Long: `Has the running member open every record that its index lacks and its grants let it read for the purpose. Each patient sees it, with purpose
and reason. It can be stopped, and goes on where it was. search_across in vitalog.toml says which records are in the index; with none there
is no index.`,
		Example: "  vitalog index rebuild --purpose TREAT --reason \"search across patients\"\n  vitalog index rebuild --purpose TREAT --reason \"index was damaged\" --anew --json",
		Args:    cobra.NoArgs,
	}
	c.Flags().StringVar(&o.Asker.Purpose, "purpose", "", "purpose of use: TREAT, HPAYMT, HOPERAT, HRESCH, PUBHLTH …")
	c.Flags().StringVar(&o.Asker.Reason, "reason", "", "why, in a few words for the patients")
	c.Flags().BoolVar(&o.Anew, "anew", false, "empty the index first")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		if o.Asker.Purpose == "" || o.Asker.Reason == "" {
			return misused("say what for and why: --purpose and --reason; every patient whose records are opened will see it")
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		var done *exchange.Reindexed
		bar := p.progress()
		err = m.reindex(ctx, o, func(l *node.ReindexLine) error {
			if l.Progress != nil {
				bar.show("%d of %s, %s opened", l.Progress.Charts, count(l.Progress.Of, "chart"), count(l.Progress.Records, "record"))
				if !p.json {
					return nil
				}
			}
			if l.Done != nil {
				done = l.Done
			}
			if p.json {
				return p.line(l)
			}
			return nil
		})
		bar.done()
		switch {
		case err != nil:
			return err
		case done == nil:
			return fmt.Errorf("%s: %w: it ended before everything was opened", m.config.Name, errAway)
		case !p.json:
			p.print("%s, %s opened", count(done.Of, "chart"), count(done.Records, "record"))
		}
		if done.Failed > 0 {
			return advise(fmt.Errorf("%s did not open", count(done.Failed, "record")), "run it again when all members are up: searches across patients say that they are incomplete until then")
		}
		return nil
	})
	return c
}

// reindex has the member complete its index, and hands on each line as it comes.
func (m *member) reindex(ctx context.Context, o node.ReindexOrder, each func(*node.ReindexLine) error) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return eachLine(ctx, m, "index", bytes.NewReader(body), func(l *node.ReindexLine) error {
		switch {
		case l.NoQuorum:
			return fmt.Errorf("%s: %w", m.config.Name, consensus.ErrNoQuorum)
		case l.Error != "":
			return fmt.Errorf("%s: completing the index: %s", m.config.Name, l.Error)
		}
		return each(l)
	})
}
