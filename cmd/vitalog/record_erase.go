package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/section"
)

func (p *program) recordEraseCommand() *cobra.Command {
	var destroy, yes, dryRun bool
	c := &cobra.Command{
		Use:   "erase TYPE/ID",
		Short: "Block a resource for ever, or destroy it, as the patient",
		Long: `Blocks a resource with all its versions: from then on no member releases its keys to anybody. With --destroy every member deletes it as well, from
its disk and its cloud, within a day; the ledger keeps a commitment that means nothing any more. Neither can be taken back. What was opened before can't be
un-seen.

What was written together lies in one sealed record and is erased together: it is named before anything is done.`,
		Example: "  vitalog record erase Observation/0b6e… --app maria --dry-run\n  vitalog record erase Observation/0b6e… --app maria --destroy",
		Args:    cobra.ExactArgs(1),
	}
	p.appFlag(c)
	c.Flags().BoolVar(&destroy, "destroy", false, "have every member delete it as well")
	c.Flags().BoolVar(&yes, "yes", false, "don't ask")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be erased, and stop")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, args []string) error {
		kind, id, ok := strings.Cut(args[0], "/")
		if !ok || kind == "" || id == "" {
			return misused("%q: want a type and an id, like Observation/0b6e…", args[0])
		}
		a, err := p.patient()
		if err != nil {
			return err
		}
		entries, with, err := a.written(ctx, kind, id)
		if err != nil {
			return err
		}
		deed := "is blocked for ever"
		if destroy {
			deed = "is destroyed at every member"
		}
		sentence := fmt.Sprintf("%s %s", strings.Join(with, ", "), deed)
		if len(with) > 1 {
			sentence = fmt.Sprintf("%s %s: they were written together", strings.Join(with, ", "), strings.Replace(deed, "is ", "are ", 1))
		}
		if dryRun {
			p.print("%s.", sentence)
			return nil
		}
		if err := p.confirm(yes, sentence+". It can't be taken back."); err != nil {
			return err
		}
		return a.eraseAll(ctx, p, entries, with, destroy)
	})
	return c
}

// written is where the versions of a resource stand, by section, and what else stands in the same records.
func (a *app) written(ctx context.Context, kind, id string) (entries map[section.Section][]uint64, with []string, err error) {
	record, _, err := a.Record(ctx, section.Clinical()...)
	if err != nil {
		return nil, nil, err
	}
	r := record.Get(kind, id)
	if r == nil {
		return nil, nil, exchange.ErrNotShared
	}
	entries = map[section.Section][]uint64{}
	names := map[string]bool{}
	for _, v := range r.History() {
		if slices.Contains(entries[v.Section], v.Entry) {
			continue
		}
		entries[v.Section] = append(entries[v.Section], v.Entry)
		made, _ := record.Made(v.Log, v.Entry)
		for _, x := range made {
			names[x.Item.Type+"/"+x.Item.ID] = true
		}
	}
	for _, list := range entries {
		slices.Sort(list)
	}
	return entries, slices.Sorted(maps.Keys(names)), nil
}

// erased is one line of what was done.
type erased struct {
	Schema    string   `json:"schema"`
	Section   string   `json:"section"`
	Entries   []uint64 `json:"entries"`
	Resources []string `json:"resources"`
	Destroyed bool     `json:"destroyed"`
	Block     uint64   `json:"block"`
}

func (a *app) eraseAll(ctx context.Context, p *program, entries map[section.Section][]uint64, with []string, destroy bool) error {
	erase, done := a.Erase, "blocked for ever"
	if destroy {
		erase, done = a.Destroy, "destroyed"
	}
	for _, s := range slices.Sorted(maps.Keys(entries)) {
		block, err := erase(ctx, s, entries[s]...)
		if err != nil {
			return err
		}
		if p.json {
			err = p.line(erased{"vitalog.erased/v1", s.String(), entries[s], with, destroy, block})
		} else {
			p.print("%s in %s: %s, final in block %d", strings.Join(with, ", "), s, done, block)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
