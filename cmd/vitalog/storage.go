package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"vitalog/cloud"
	"vitalog/node"
)

func (p *program) storageCommand() *cobra.Command {
	return group("storage", "Where ciphertext lies, and how it is looked after", "  vitalog storage status\n  vitalog storage status --check\n  vitalog storage scrub",
		p.storageStatusCommand(),
		p.storageWorkCommand(node.StorageFlush, "Pack what is fresh into the bucket now", "What is fresh is packed by itself every ten minutes, or when there are 8 MiB of it. This does it now."),
		p.storageWorkCommand(node.StorageScrub, "Read every pack and compare it", `Packs are read and compared all the time, slowly. This reads each of them now. What is damaged is fetched from other members, and it waits until
that is here.`),
		p.storageWorkCommand(node.StorageRepair, "Bring back what the bucket lost", `Lists the bucket, fetches from other members what it lost, and takes what was deleted out of its packs. All of it happens by itself; this does it now
and waits until it is done.`),
		p.storageWorkCommand(node.StorageReindex, "Tell from the bucket alone what lies where", `Forgets where things lie in the bucket and reads that from every pack anew: after the member's data/ was lost or restored from a backup.`))
}

// openBucket is the bucket of a member that runs in this program.
func openBucket(ctx context.Context, url string) (*cloud.Bucket, error) {
	return cloud.Open(ctx, url, cloud.Options{})
}

// prices are what a cloud asks, in its currency.
type prices struct {
	month, put, get float64 // for a GB and month, 1,000 puts, 1,000 gets
}

func (p *program) storageStatusCommand() *cobra.Command {
	var check bool
	var price prices
	c := &cobra.Command{
		Use:   "status",
		Short: "What is in the bucket, what is not there yet, and what it costs",
		Long: `Asks the running member how its ciphertext is kept. With --check the member tries its bucket out with an object of its own, and looks at the
settings that decide whether what is stored stays and what is deleted goes; it fails with exit code 1 when one of them is bad.

Costs are estimated from what is stored now and, after an hour, from the requests since the member started, at the prices given: by default those of Amazon S3 Standard in
us-east-1 in 2025, in dollars.`,
		Example: "  vitalog storage status\n  vitalog storage status --check --json\n  vitalog storage status --price-gb-month 0.01",
		Args:    cobra.NoArgs,
	}
	f := c.Flags()
	f.BoolVar(&check, "check", false, "try the bucket out, and look at its settings")
	f.Float64Var(&price.month, "price-gb-month", 0.023, "what a GB costs a month")
	f.Float64Var(&price.put, "price-puts", 0.005, "what 1,000 puts and lists cost")
	f.Float64Var(&price.get, "price-gets", 0.0004, "what 1,000 gets cost")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		m, err := p.member()
		if err != nil {
			return err
		}
		path := "storage"
		if check {
			path += "?check=true"
		}
		s := storage{price: price}
		if err := m.control(ctx, http.MethodGet, path, nil, &s.Storage); err != nil {
			return err
		}
		s.Year = s.perPatientYear(time.Now())
		if p.json {
			err = p.line(&s)
		} else {
			s.show(p)
		}
		for _, f := range s.Checks {
			if err == nil && f.Verdict == cloud.Bad {
				err = fmt.Errorf("the bucket of %s is not as it must be: %s", s.Name, f.About)
			}
		}
		return err
	})
	return c
}

// storage is node.Storage with what it costs.
type storage struct {
	node.Storage
	Year  float64 `json:"costPerPatientYear"` // 0 where no patient is known
	price prices
}

// enough is how long a member must have run for its requests to say what a year of them costs.
const enough = time.Hour

// perPatientYear is what the bucket costs a year, for each patient known here.
func (s *storage) perPatientYear(now time.Time) float64 {
	up := now.Sub(s.Since)
	if s.Patients == 0 || up <= 0 {
		return 0
	}
	const year = 365 * 24 * time.Hour
	cost := float64(s.Store.Bytes) / 1e9 * s.price.month * 12
	if up >= enough {
		requests := float64(s.Usage.Puts+s.Usage.Lists)/1000*s.price.put + float64(s.Usage.Gets)/1000*s.price.get
		cost += requests * float64(year) / float64(up)
	}
	return cost / float64(s.Patients)
}

func (s *storage) show(p *program) {
	k := s.Store
	if s.Bucket == "" {
		p.print("%s   no bucket: all ciphertext is in data/ on this machine's disk", s.Name)
		p.print("  set bucket in vitalog.toml to keep it in a cloud or in a directory elsewhere")
		return
	}
	state := "✓ answers"
	if !k.Away.IsZero() {
		state = fmt.Sprintf("! hasn't answered for %v: %s", time.Since(k.Away).Round(time.Second), k.Why)
	}
	p.print("%s   %s   %s", s.Name, s.Bucket, state)
	p.print("  in it      %s, %s, %.1f MB; %.1f MB of them not needed any more", count(k.Packs, "pack"), count(k.Items, "item"), float64(k.Bytes)/1e6, float64(k.Dead)/1e6)
	p.print("  fresh      %.1f MB, not in it yet", float64(k.Fresh)/1e6)
	if s.Missing > 0 {
		p.print("  ! %s still to be fetched from other members", count(s.Missing, "sealed item"))
	}
	if k.Tainted > 0 {
		p.print("  deleted    %s still to be packed anew without what was deleted", count(k.Tainted, "pack"))
	}
	if !k.Listed.IsZero() {
		p.print("  listed     %s: %d lost, %d taken in, %d that are somebody else's", stamp(k.Listed), k.Found.Lost, k.Found.Adopted, k.Found.Foreign)
	}
	if k.Scrubbed.IsZero() {
		p.print("  scrubbed   %.1f MB since the start, not everything yet", float64(k.Scrubbing)/1e6)
	} else {
		p.print("  scrubbed   everything, last at %s", stamp(k.Scrubbed))
	}
	u := s.Usage
	p.print("  requests   %d puts, %d gets, %d deletes, %d lists; %d made again, %d failed; %.1f MB up, %.1f MB down", u.Puts, u.Gets, u.Deletes, u.Lists, u.Retries, u.Errors, float64(u.Up)/1e6, float64(u.Down)/1e6)
	if s.Year > 0 {
		p.print("  costs      about %.4f a year for each of %s, at the prices given", s.Year, count(s.Patients, "patient"))
	}
	for _, f := range s.Checks {
		p.print("  %s %s: %s", map[cloud.Verdict]string{cloud.Good: "✓", cloud.Untold: "!", cloud.Bad: "✗"}[f.Verdict], f.About, f.Says)
	}
}

func (p *program) storageWorkCommand(what, short, long string) *cobra.Command {
	c := &cobra.Command{
		Use: what, Short: short, Long: long, Args: cobra.NoArgs,
		Example: fmt.Sprintf("  vitalog storage %[1]s\n  vitalog storage %[1]s --as riverside-lab --json", what),
	}
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		m, err := p.member()
		if err != nil {
			return err
		}
		var last *node.StorageLine
		bar := p.progress()
		err = eachLine(ctx, m, "storage?do="+what, nil, func(l *node.StorageLine) error {
			switch {
			case l.Error != "":
				return errors.New(l.Error)
			case l.Done:
				last = l
			case l.Left > 0:
				bar.show("%s still to be fetched from other members", count(l.Left, "sealed item"))
			default:
				bar.show("%.1f of %.1f MB read", float64(l.Read)/1e6, float64(l.Of)/1e6)
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
		case last == nil:
			return fmt.Errorf("%s: %w: it ended before it was done", m.config.Name, errAway)
		case p.json:
		case last.Found != nil:
			f := last.Found
			p.print("%s in the bucket; %d lost, %d taken in, %d deleted, %d that are somebody else's; nothing is missing", count(f.Packs, "pack"), f.Lost, f.Adopted, f.Deleted, f.Foreign)
		case what == node.StorageFlush:
			p.print("%s made", count(last.Packed, "pack"))
		default:
			p.print("every pack was read; nothing is missing")
		}
		return nil
	})
	return c
}
