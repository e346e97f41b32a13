package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"vitalog/internal/bench"
)

func (p *program) benchCommand() *cobra.Command {
	o := bench.Options{}
	var report string
	var table bool
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure a network of four validators on this machine",
		Long: `Starts four validators in this process and in a temporary directory, with synthetic records, and measures from request to plaintext, everything
on: consensus of all four, signatures, sealing, the release of keys, the trace of each read, the disk. It prints a Markdown table with the
figures to beat beside. All four share this machine's processors: a real network has four machines.

--grow measures again as the network fills, --soak lets 50 readers and 10 writers work while a validator restarts every minute. --report
writes everything as bench.md and bench.json, with machine, versions and load.

--hospital fills a member through its FHIR door, with the bundles of --bundles and then with people made up from --people, and asks what a hospital's
systems ask. --clients lets so many HTTP clients read, search, create, update and post transactions there, and then holds every version that was
acknowledged against the charts, every answer against the rows of the ledger, and looks for what was left in memory. It ends with an error if a
promise broke.`,
		Example: "  vitalog bench\n  vitalog bench --for 20s --json\n  vitalog bench --grow 1000,10000,100000 --soak 10m --report out/\n" +
			"  vitalog bench --table=false --hospital 92000 --bundles DIR --clients 200 --clients-for 10m --report out/",
		Args: cobra.NoArgs,
	}
	c.Flags().DurationVar(&o.For, "for", 5*time.Second, "how long each figure is measured")
	c.Flags().StringVar(&o.Bundles, "bundles", "", "directory of synthetic FHIR bundles to import (default: people made up here)")
	c.Flags().IntSliceVar(&o.Grow, "grow", nil, "numbers of records at which to measure again, ascending")
	c.Flags().DurationVar(&o.Soak, "soak", 0, "how long readers and writers go on while validators restart")
	c.Flags().IntVar(&o.Hospital, "hospital", 0, "resources to import through the FHIR door before it is asked")
	c.Flags().Uint64Var(&o.Seed, "people", 1, "which people are made up for --hospital: the same number makes the same")
	c.Flags().IntVar(&o.Clients, "clients", 0, "HTTP clients that work at the same time, in the hospital or a small one")
	c.Flags().DurationVar(&o.ClientsFor, "clients-for", 10*time.Minute, "how long the clients work")
	c.Flags().BoolVar(&table, "table", true, "take the table of figures first")
	c.Flags().StringVar(&report, "report", "", "directory for bench.md and bench.json")
	p.jsonFlag(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		switch {
		case o.For <= 0 || o.Soak < 0:
			return misused("--for %v --soak %v: want times to come", o.For, o.Soak)
		case o.Hospital < 0 || o.Clients < 0 || o.ClientsFor <= 0:
			return misused("--hospital %d --clients %d --clients-for %v: want numbers from 0, and a time to come", o.Hospital, o.Clients, o.ClientsFor)
		case !slices.IsSorted(o.Grow) || len(o.Grow) > 0 && o.Grow[0] < 1:
			return misused("--grow %v: want numbers of records, ascending", o.Grow)
		}
		serving()
		p.say("synthetic records only; founding four validators …")
		if !p.json {
			p.print("%d processors, %s, %s/%s; four validators share them\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			p.print("%s", bench.TableHead)
		}
		o.NoTable = !table
		o.Note = func(how string) { p.say("    %s", how) }
		o.Begin = func(what string) { p.say("  measuring %s", what) }
		o.Tell = func(m bench.Measure) error {
			if p.json {
				return p.line(m)
			}
			p.print("%s", m.Row())
			return nil
		}
		r, err := bench.Run(ctx, o)
		if report != "" {
			err = errors.Join(err, writeReport(report, r))
		}
		if err == nil {
			err = r.Broken()
		}
		return err
	})
	return c
}

func writeReport(dir string, r *bench.Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "bench.md"), []byte(r.Markdown()), 0o644), os.WriteFile(filepath.Join(dir, "bench.json"), append(raw, '\n'), 0o644))
}
