package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"vitalog/cloud"
	"vitalog/kv"
	"vitalog/node"
)

func (p *program) doctorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "What is wrong with the member, and how to mend it",
		Long: `Looks at the member's files, its disk, its connections, its copies and its bucket, one line for each: ✓ is as it must be, ! is to be looked at, ✗ is
wrong, with what to do. It changes nothing, but for an object of its own in the bucket that it deletes again. What is ✗ ends it with exit code 1.`,
		Example: "  vitalog doctor\n  vitalog doctor --as riverside-lab --json",
		Args:    cobra.NoArgs,
	}
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.soon(func(ctx context.Context, _ []string) error {
		m, err := p.member()
		if err != nil {
			return err
		}
		d := &doctor{p: p, m: m}
		d.files()
		d.disk()
		d.running(ctx)
		if d.err == nil && d.bad > 0 {
			return fmt.Errorf("%s: %s", m.config.Name, count(d.bad, "thing")+" to mend")
		}
		return d.err
	})
	return c
}

// doctor tells what it finds as it goes.
type doctor struct {
	p   *program
	m   *member
	bad int
	err error
}

// find tells one thing. What says also says what to do, on lines of its own.
func (d *doctor) find(about string, v cloud.Verdict, format string, a ...any) {
	f := cloud.Finding{About: about, Verdict: v, Says: fmt.Sprintf(format, a...)}
	if v == cloud.Bad {
		d.bad++
	}
	if !d.p.json {
		d.p.print("%s %-12s %s", marks[v], about, indented(f.Says))
		return
	}
	d.err = errors.Join(d.err, d.p.line(struct {
		Schema string `json:"schema"`
		cloud.Finding
	}{"vitalog.finding/v1", f}))
}

// unless tells good where all is well, and otherwise what is wrong.
func (d *doctor) unless(wrong bool, v cloud.Verdict, about, good, format string, a ...any) {
	if wrong {
		d.find(about, v, format, a...)
	} else {
		d.find(about, cloud.Good, "%s", good)
	}
}

// files looks whether others can read what is secret.
func (d *doctor) files() {
	names := []string{".", node.KeyringFile}
	if f := d.m.config.PassphraseFile; f != "" {
		names = append(names, f)
	}
	open := ""
	for _, name := range names {
		path := name
		if !filepath.IsAbs(name) {
			path = filepath.Join(d.m.dir, name)
		}
		switch st, err := os.Stat(path); {
		case errors.Is(err, fs.ErrNotExist):
			d.find("files", cloud.Bad, "%s is not there\nput it back from a backup", path)
			return
		case err != nil:
			d.find("files", cloud.Bad, "%v\nrun this as the user that the member runs as", err)
			return
		case runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0:
			open += fmt.Sprintf("\nchmod go= %s", path)
		}
	}
	d.unless(open != "", cloud.Bad, "files", "directory, keyring and passphrase are the owner's alone", "others on this machine can read what is secret%s", open)
}

func (d *doctor) disk() {
	free, err := kv.Free(d.m.dir)
	if err != nil {
		d.find("disk", cloud.Untold, "%v", err)
		return
	}
	says := fmt.Sprintf("%s free, %s are the reserve", bytesOf(int64(free)), bytesOf(int64(d.m.config.Reserve())))
	if free < 4*d.m.config.Reserve() && free >= d.m.config.Reserve() {
		d.find("disk", cloud.Untold, "%s\nfree space soon: below the reserve no writes are taken", says)
		return
	}
	d.unless(free < d.m.config.Reserve(), cloud.Bad, "disk", says, "%s: no writes are taken\nfree space; the member goes on by itself", says)
}

// running asks the member. Where it doesn't run, its bucket is tried from here.
func (d *doctor) running(ctx context.Context) {
	var s status
	if err := d.m.control(ctx, http.MethodGet, "status", nil, &s); err != nil {
		mend := ""
		if errors.Is(err, errAway) {
			mend = "\nstart it: vitalog up" + d.p.given()
		}
		d.find("member", cloud.Bad, "%v%s", err, mend)
		d.bucketFromHere(ctx)
		return
	}
	c := s.Chain
	d.unless(!s.Ready, cloud.Bad, "member", "ready, "+s.API, "%s\nwait, and see its log", s.Why)
	d.unless(c.ClockOff != 0, cloud.Bad, "clock", "as the network's", "off by %v: this member's proposals are refused\nset it, best by NTP", c.ClockOff)
	reach := fmt.Sprintf("%d of %d validators, this one included", c.Reachable, c.Validators)
	d.unless(c.Reachable < c.Validators, cloud.Untold, "peers", reach, "%s; more than two thirds are needed\nsee that the others run, and that a firewall lets %s and %s through", reach, d.m.config.Peer, d.m.config.Consensus)
	d.unless(c.HaltedFor > 0, cloud.Bad, "ledger", fmt.Sprintf("block %d, nothing waits", c.Height), "no block for %s although operations wait\nsee that more than two thirds of the validators are up", span(c.HaltedFor))
	d.unless(s.Incidents.Unhealed > 0, cloud.Bad, "stores", "nothing damaged is unhealed", "%s not healed\nvitalog verify --heal%s", count(s.Incidents.Unhealed, "thing"), d.p.given())
	d.copies(&s)
	var k storage
	path := "storage"
	if d.m.config.Bucket != "" {
		path += "?check=true"
	}
	if err := d.m.control(ctx, http.MethodGet, path, nil, &k.Storage); err != nil {
		d.err = errors.Join(d.err, err)
		return
	}
	d.bucket(&k.Storage)
}

// late is how long copies and packing may take before somebody should look.
const late = time.Hour

func (d *doctor) copies(s *status) {
	a := s.Availability
	switch {
	case a == nil:
		d.find("copies", cloud.Untold, "there is no other validator: what is lost here is lost\nkeep backups, or let others join")
	case a.Scarce > 0:
		d.find("copies", cloud.Bad, "%s held by too few other validators\nask their operators to look at 'vitalog verify --heal'", count(a.Scarce, "ciphertext"))
	case a.Pending > 0 && time.Since(a.Since) > late:
		d.find("copies", cloud.Bad, "%s not yet known to be held by enough others, the oldest for %s\nsee which validators are behind: vitalog storage status%s", count(a.Pending, "record"), span(time.Since(a.Since)), d.p.given())
	default:
		d.unless(s.Missing > 0, cloud.Untold, "copies", "enough others hold what is here", "%s still to be fetched from other members", count(s.Missing, "sealed item"))
	}
}

// bucket tells what the member found out about its bucket.
func (d *doctor) bucket(s *node.Storage) {
	if s.Bucket == "" {
		d.find("bucket", cloud.Good, "none: all ciphertext is in data/ on this machine's disk")
		return
	}
	k := s.Store
	d.unless(k.Why != "", cloud.Bad, "bucket", "looked after: packed, listed and read", "%s", k.Why)
	if k.FreshItems > 0 && time.Since(k.FreshSince) > late {
		d.find("backlog", cloud.Bad, "%s in %s wait for the bucket, the oldest for %s at most\nvitalog storage flush%s", bytesOf(k.Fresh), count(k.FreshItems, "item"), span(time.Since(k.FreshSince)), d.p.given())
	}
	if k.Found.Foreign > 0 {
		d.find("objects", cloud.Untold, "%d in the bucket are not this member's\nsee who else writes there: a bucket or a prefix belongs to one member", k.Found.Foreign)
	}
	d.settings(s.Checks)
}

func (d *doctor) settings(all []cloud.Finding) {
	for _, f := range all {
		d.find(f.About, f.Verdict, "%s", f.Says)
	}
}

func (d *doctor) bucketFromHere(ctx context.Context) {
	if d.m.config.Bucket == "" {
		return
	}
	b, err := openBucket(ctx, d.m.config.Bucket)
	if err != nil {
		d.find("bucket", cloud.Bad, "%v", err)
		return
	}
	d.settings(b.Check(ctx))
	d.err = errors.Join(d.err, b.Close())
}
