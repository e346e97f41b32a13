package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vitalog/exchange"
	"vitalog/section"
)

// erasing is what is to be erased.
type erasing struct {
	destroy    bool
	sections   string
	everything bool
	entries    map[section.Section][]uint64
	resources  []string // that stand in them; nil: all of the sections
}

func (p *program) recordEraseCommand() *cobra.Command {
	var x erasing
	var yes, dryRun bool
	c := &cobra.Command{
		Use:   "erase TYPE/ID | --section NAMES | --everything",
		Short: "Block a resource, sections or everything for ever, or destroy it, as the patient",
		Long: `Blocks a resource with all its versions, or all that stands in sections: from then on no member releases its keys to anybody. With --destroy every member
deletes it as well, from its disk and its cloud, within minutes; the ledger keeps a commitment that means nothing any more. Neither can be taken back. What
was opened before can't be un-seen.

What was written together lies in one sealed record and is erased together: it is named before anything is done. What is too much for one operation goes
in several; if it breaks off, the same command goes on with what is left.

Who must keep by law what they wrote keeps a copy of their own all the same: of a resource it is told who does and until when, and 'vitalog record kept --app'
tells it later. The copy opens for its author alone, and each opening is in your log.

'vitalog record erased' shows which members have said that they deleted it.`,
		Example: "  vitalog record erase Observation/0b6e… --app maria --dry-run\n  vitalog record erase Observation/0b6e… --app maria --destroy\n  vitalog record erase --section labs --app maria --destroy\n  vitalog record erase --everything --app maria --destroy",
		Args:    cobra.MaximumNArgs(1),
	}
	p.appFlag(c)
	c.Flags().BoolVar(&x.destroy, "destroy", false, "have every member delete it as well")
	c.Flags().StringVar(&x.sections, "section", "", "all that stands in these sections, separated by commas")
	c.Flags().BoolVar(&x.everything, "everything", false, "all that stands in the chart")
	c.Flags().BoolVar(&yes, "yes", false, "don't ask")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be erased, and stop")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, args []string) error {
		find, err := x.means(args)
		if err != nil {
			return err
		}
		a, err := p.patient()
		if err != nil {
			return err
		}
		if err := find(ctx, a); err != nil {
			return err
		}
		if dryRun {
			p.print("%s.", x.sentence())
			return nil
		}
		if len(x.entries) == 0 {
			p.say("%s.", x.sentence())
			return nil
		}
		if err := p.confirm(yes, x.sentence()+". It can't be taken back."); err != nil {
			return err
		}
		return a.eraseAll(ctx, p, &x)
	})
	return c
}

// means reads what is to be erased, and tells how it is found: one of a resource, sections, and everything.
func (x *erasing) means(args []string) (find func(context.Context, *app) error, err error) {
	named := 0
	for _, is := range []bool{len(args) > 0, x.sections != "", x.everything} {
		if is {
			named++
		}
	}
	if named != 1 {
		return nil, misused("want one of a type and an id, like Observation/0b6e…, --section and --everything")
	}
	if len(args) > 0 {
		kind, id, ok := strings.Cut(args[0], "/")
		if !ok || kind == "" || id == "" {
			return nil, misused("%q: want a type and an id, like Observation/0b6e…", args[0])
		}
		return func(ctx context.Context, a *app) error { return x.findOne(ctx, a, kind, id) }, nil
	}
	list, err := eachSection(x.sections)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, a *app) error { return x.findAll(ctx, a, list) }, nil
}

// eachSection reads names of sections; none is all of them, the sensitive ones too.
func eachSection(names string) ([]section.Section, error) {
	switch {
	case names == "":
		return section.Clinical(), nil
	case slices.Contains(strings.Split(names, ","), "all"):
		return nil, misused("--section %s: name them one by one, or say --everything", names)
	}
	return parseSections(names)
}

// findOne finds where the versions of a resource stand, by section, and what else stands in the same records.
func (x *erasing) findOne(ctx context.Context, a *app, kind, id string) error {
	record, _, err := a.Record(ctx, section.Clinical()...)
	if err != nil {
		return err
	}
	r := record.Get(kind, id)
	if r == nil {
		return exchange.ErrNotShared
	}
	x.entries = map[section.Section][]uint64{}
	names := map[string]bool{}
	for _, v := range r.History() {
		if slices.Contains(x.entries[v.Section], v.Entry) {
			continue
		}
		x.entries[v.Section] = append(x.entries[v.Section], v.Entry)
		made, _ := record.Made(v.Log, v.Entry)
		for _, y := range made {
			names[y.Item.Type+"/"+y.Item.ID] = true
		}
	}
	for _, list := range x.entries {
		slices.Sort(list)
	}
	x.resources = slices.Sorted(maps.Keys(names))
	return nil
}

// findAll finds all records of sections that were not erased yet.
func (x *erasing) findAll(ctx context.Context, a *app, sections []section.Section) error {
	x.entries = map[section.Section][]uint64{}
	for _, s := range sections {
		entries, err := a.Erasable(ctx, s, x.destroy)
		if err != nil {
			return err
		}
		if len(entries) > 0 {
			x.entries[s] = entries
		}
	}
	return nil
}

func (x *erasing) records() (n int) {
	for _, list := range x.entries {
		n += len(list)
	}
	return n
}

// sentence says what is done, without its end.
func (x *erasing) sentence() string {
	deed := "blocked for ever"
	if x.destroy {
		deed = "destroyed at every member"
	}
	verb := "is"
	if len(x.resources) > 1 || x.resources == nil && x.records() != 1 {
		verb = "are"
	}
	switch {
	case x.resources == nil && len(x.entries) == 0:
		return fmt.Sprintf("No record there is left to be %s", deed)
	case x.resources == nil:
		return fmt.Sprintf("%s in %s %s %s", count(x.records(), "record"), sentenceOf(slices.Sorted(maps.Keys(x.entries))), verb, deed)
	case len(x.resources) > 1:
		return fmt.Sprintf("%s %s %s: they were written together", strings.Join(x.resources, ", "), verb, deed)
	}
	return fmt.Sprintf("%s %s %s", x.resources[0], verb, deed)
}

// erased is one line of what was done.
type erased struct {
	Schema    string   `json:"schema"`
	Section   string   `json:"section"`
	Entries   []uint64 `json:"entries"`
	Resources []string `json:"resources,omitempty"` // none: whatever stood in the records
	Destroyed bool     `json:"destroyed"`
	Block     uint64   `json:"block"`
}

func (a *app) eraseAll(ctx context.Context, p *program, x *erasing) error {
	done := "blocked for ever"
	if x.destroy {
		done = "destroyed"
	}
	bar, sum, of := p.progress(), 0, x.records()
	defer bar.done()
	for _, s := range slices.Sorted(maps.Keys(x.entries)) {
		var locked []uint64
		var failed, err error
		if x.destroy && x.resources != nil { // of more it isn't asked record by record
			if locked, err = a.MayBeKept(ctx, s, x.entries[s]...); err != nil {
				return err
			}
		}
		err = a.EraseAll(ctx, s, x.destroy, x.entries[s], func(entries []uint64, block uint64) {
			sum += len(entries)
			bar.done()
			if p.json {
				failed = errors.Join(failed, p.line(erased{"vitalog.erased/v1", s.String(), entries, x.resources, x.destroy, block}))
			} else {
				what := strings.Join(x.resources, ", ")
				if x.resources == nil {
					what = count(len(entries), "record")
				}
				p.print("%s in %s: %s, final in block %d", what, s, done, block)
			}
			bar.show("%d of %s", sum, count(of, "record"))
		})
		if err = errors.Join(err, failed); err != nil && sum > 0 {
			return advise(fmt.Errorf("%d of %s are %s: %w", sum, count(of, "record"), done, err), "the same command goes on with what is left")
		} else if err != nil {
			return err
		}
		if err := a.tellKeepers(ctx, p, s, locked); err != nil {
			return err
		}
	}
	return nil
}

// keepersTime is how long it is waited for authors to say that they keep their copies.
const keepersTime = 10 * time.Second

// tellKeepers tells who keeps copies of what was destroyed.
func (a *app) tellKeepers(ctx context.Context, p *program, s section.Section, locked []uint64) error {
	if len(locked) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, keepersTime)
	defer cancel()
	all, err := a.AwaitKeepers(ctx, s, locked...)
	if err != nil {
		return err
	}
	for _, one := range all {
		k := keeperOf(one)
		if p.json {
			err = p.line(k)
		} else {
			p.print("%s", k.says())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
