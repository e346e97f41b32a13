package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vitalog/cloud"
	"vitalog/node"
)

// prices are what a cloud asks, in its currency: spec/cloud.md.
type prices struct {
	Month float64 `json:"gbMonth"` // for 10^9 bytes and a month
	Puts  float64 `json:"puts"`    // for 1,000 puts and lists
	Gets  float64 `json:"gets"`    // for 1,000 gets
	Out   float64 `json:"gbOut"`   // for 10^9 bytes that leave the cloud
}

func (p *program) storageStatusCommand() *cobra.Command {
	var check bool
	var price prices
	c := &cobra.Command{
		Use:   "status",
		Short: "What is in the bucket, what is not there yet, who else holds it, and what it costs",
		Long: `Asks the running member how its ciphertext is kept. With --check the member tries its bucket out with an object of its own, and looks at the
settings that decide whether what is stored stays and what is deleted goes; it fails with exit code 1 when one of them is bad.

Costs are estimated from what is stored now and, after an hour, from the requests since the member started, at the prices given: by default those of Amazon S3 Standard in
us-east-1 in 2025, in dollars. Bytes that come from the bucket cost nothing where the member runs in the cloud's own region: --price-gb-out 0.`,
		Example: "  vitalog storage status\n  vitalog storage status --check --json\n  vitalog storage status --price-gb-month 0.01 --price-gb-out 0",
		Args:    cobra.NoArgs,
	}
	f := c.Flags()
	f.BoolVar(&check, "check", false, "try the bucket out, and look at its settings")
	f.Float64Var(&price.Month, "price-gb-month", 0.023, "what a GB costs a month")
	f.Float64Var(&price.Puts, "price-puts", 0.005, "what 1,000 puts and lists cost")
	f.Float64Var(&price.Gets, "price-gets", 0.0004, "what 1,000 gets cost")
	f.Float64Var(&price.Out, "price-gb-out", 0.09, "what a GB costs that leaves the cloud")
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		for _, x := range []float64{price.Month, price.Puts, price.Gets, price.Out} {
			if !(x >= 0 && x <= 1e6) {
				return misused("%v is no price: want 0 or more", x)
			}
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		path := "storage"
		if check {
			path += "?check=true"
		}
		s := storage{Prices: price}
		if err := m.control(ctx, http.MethodGet, path, nil, &s.Storage); err != nil {
			return err
		}
		s.estimate(time.Now())
		if p.json {
			err = p.line(&s)
		} else {
			s.show(p, time.Now())
		}
		for _, f := range s.Checks {
			if err == nil && f.Verdict == cloud.Bad {
				err = advise(fmt.Errorf("the bucket of %s is not as it must be: %s", s.Name, f.About), "see what stands beside ✗, and 'For the administrator' in spec/cloud.md")
			}
		}
		return err
	})
	return c
}

// storage is node.Storage with what it costs.
type storage struct {
	node.Storage
	Prices prices  `json:"prices"`
	Cost   cost    `json:"costPerYear"`
	Each   float64 `json:"costPerPatientYear"` // 0 where no patient is known
}

// cost is of a year.
type cost struct {
	Stored   float64 `json:"stored"`
	Requests float64 `json:"requests"`
	Traffic  float64 `json:"traffic"`
	All      float64 `json:"all"`
	Measured bool    `json:"measured"` // requests and traffic are known
}

// enough is how long a member must have run for its requests to say what a year of them costs.
const enough = time.Hour

// estimate is what the bucket costs a year, and for each patient known here.
func (s *storage) estimate(now time.Time) {
	const year = 365 * 24 * time.Hour
	c := &s.Cost
	c.Stored = float64(s.Store.Bytes) / 1e9 * s.Prices.Month * 12
	if up := now.Sub(s.Since); up >= enough {
		u, years := s.Usage, float64(year)/float64(up)
		c.Requests = (float64(u.Puts+u.Lists)*s.Prices.Puts + float64(u.Gets)*s.Prices.Gets) / 1000 * years
		c.Traffic = float64(u.Down) / 1e9 * s.Prices.Out * years
		c.Measured = true
	}
	c.All = c.Stored + c.Requests + c.Traffic
	if s.Patients > 0 {
		s.Each = c.All / float64(s.Patients)
	}
}

func (s *storage) show(p *program, now time.Time) {
	if s.Bucket == "" {
		p.print("%s   no bucket: all ciphertext is in data/ on this machine's disk", s.Name)
		p.print("  set bucket in vitalog.toml to keep it in a cloud or in a directory elsewhere")
		s.showCopies(p, now)
		return
	}
	s.showBucket(p, now)
	s.showWork(p, now)
	s.showCopies(p, now)
	s.showCost(p)
	for _, f := range s.Checks {
		p.print("  %s %s", marks[f.Verdict], indented(f.About+": "+f.Says))
	}
}

var marks = map[cloud.Verdict]string{cloud.Good: "✓", cloud.Untold: "!", cloud.Bad: "✗"}

// showBucket tells what is in the bucket and what isn't yet.
func (s *storage) showBucket(p *program, now time.Time) {
	k := s.Store
	state := "✓ answers"
	switch {
	case !k.Away.IsZero():
		state = "! hasn't answered for " + span(now.Sub(k.Away))
	case k.Why != "":
		state = "! can't be looked after"
	case k.Listed.IsZero():
		state = "was not asked yet"
	}
	p.print("%s   %s   %s", s.Name, s.Bucket, state)
	if k.Why != "" {
		p.print("  ! %s", indented(k.Why))
	}
	p.print("  in it       %s, %s, %s; %s of them not needed any more", count(k.Packs, "pack"), count(k.Items, "item"), bytesOf(k.Bytes), bytesOf(k.Dead))
	fresh := "nothing, all is in it"
	if k.FreshItems > 0 {
		fresh = fmt.Sprintf("%s in %s, not in it yet; the oldest for %s at most", bytesOf(k.Fresh), count(k.FreshItems, "item"), span(now.Sub(k.FreshSince)))
	}
	p.print("  fresh       %s", fresh)
	if k.Waiting > 0 {
		p.print("  waiting     %s in %s and %s, in it, and here until others hold them; the oldest for %s", bytesOf(k.Waiting), count(k.Waits, "pack"), count(k.WaitBlobs, "attachment"), span(now.Sub(k.WaitSince)))
	}
	if !k.Packed.IsZero() {
		p.print("  packed      what was put before %s", stamp(k.Packed))
	}
	if k.Tainted > 0 {
		p.print("  deleted     %s still to be packed anew without what was deleted", count(k.Tainted, "pack"))
	}
}

// showWork tells how the bucket is looked after.
func (s *storage) showWork(p *program, now time.Time) {
	k, u := s.Store, s.Usage
	if !k.Listed.IsZero() {
		p.print("  listed      %s: %d lost, %d taken in, %d that are somebody else's", stamp(k.Listed), k.Found.Lost, k.Found.Adopted, k.Found.Foreign)
	}
	if s.GivenUp > 0 {
		p.print("  given up    %s ever that were lost: no entry names them, and no member has them", count(s.GivenUp, "blob"))
	}
	last := "not everything yet"
	if !k.Scrubbed.IsZero() {
		last = "everything, last at " + stamp(k.Scrubbed)
	}
	p.print("  scrubbed    %s; %s of %s in this round, which takes %s", last, bytesOf(k.Scrubbing), bytesOf(k.Bytes), span(time.Duration(k.Round*float64(time.Second))))
	p.print("  requests    %d puts, %d gets, %d deletes, %d lists in %s; %d made again, %d failed; %s up, %s down", u.Puts, u.Gets, u.Deletes, u.Lists, span(now.Sub(s.Since)), u.Retries, u.Errors,
		bytesOf(int64(u.Up)), bytesOf(int64(u.Down)))
	if k.Why == "" && k.LastError != "" {
		p.print("  last error  %s, all is well since: %s", stamp(k.Failed), indented(k.LastError))
	}
}

// showCopies tells who else holds what the ledger names.
func (s *storage) showCopies(p *program, now time.Time) {
	if s.Missing > 0 {
		p.print("  ! %s still to be fetched from other members", count(s.Missing, "sealed item"))
	}
	a := s.Availability
	if a == nil {
		p.print("  copies      none: there is no other validator")
		return
	}
	copies := "all records are held by enough others"
	if a.Pending > 0 {
		copies = fmt.Sprintf("%s not yet known to be held by enough others, the oldest for %s", count(a.Pending, "record"), span(now.Sub(a.Since)))
		if a.OwnSince.IsZero() {
			copies += "; none is this member's own"
		} else {
			copies += ", of this member's own for " + span(now.Sub(a.OwnSince))
		}
	}
	p.print("  copies      %s", copies)
	if a.Scarce > 0 {
		p.print("  ! %s held by too few other validators", count(a.Scarce, "ciphertext"))
	}
	wide := 0
	for _, h := range s.Holdings {
		wide = max(wide, len([]rune(h.Name)))
	}
	for _, h := range s.Holdings {
		holds, lacks := fmt.Sprintf("all up to block %d of %d", h.Upto, s.Asked), ""
		switch {
		case h.Upto == 0:
			holds = "nothing, or doesn't say"
		case h.Upto >= s.Asked:
			holds = fmt.Sprintf("all up to block %d", h.Upto)
		}
		if h.Lacks > 0 {
			lacks = fmt.Sprintf(", but for %s", count(h.Lacks, "ciphertext"))
		}
		p.print("    %-*s  holds %s%s", wide, h.Name, holds, lacks)
	}
}

func (s *storage) showCost(p *program) {
	c := s.Cost
	text := fmt.Sprintf("about %.4f a year: %.4f stored, %.4f requests, %.4f traffic", c.All, c.Stored, c.Requests, c.Traffic)
	if !c.Measured {
		text = fmt.Sprintf("about %.4f a year for what is stored; requests and traffic are known after an hour", c.All)
	}
	if s.Patients > 0 {
		text += fmt.Sprintf("; %.4f for each of %s", s.Each, count(s.Patients, "patient"))
	} else {
		text += "; no patient is known here"
	}
	p.print("  costs       %s", text)
}

// indented is a text of several lines, each under the first.
func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n    ") }

// bytesOf is a number of bytes as people read it.
func bytesOf(n int64) string {
	v, unit := float64(n)/1e3, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if v >= 1000 {
			v, unit = v/1e3, next
		}
	}
	if v >= 100 {
		return fmt.Sprintf("%.0f %s", v, unit)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// span is a time as people read it.
func span(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", max(d.Seconds(), 0))
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}
