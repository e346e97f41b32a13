package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"vitalog/exchange"
)

// imported is what came of one document: a file, or what was put together of lines.
type imported struct {
	Schema    string `json:"schema"`
	File      string `json:"file"`
	OK        bool   `json:"ok"`
	Resources int    `json:"resources"` // that the member has now: new and there
	New       int    `json:"new"`
	There     int    `json:"alreadyThere"`
	Refused   int    `json:"refused"`
	Patients  int    `json:"patients"` // enrolled
	Millis    int64  `json:"ms"`
	Status    int    `json:"status,omitempty"`  // HTTP, of what failed
	Element   string `json:"element,omitempty"` // what is wrong: Bundle.entry[3].resource.code
	Error     string `json:"error,omitempty"`
}

// importSummary is the last line.
type importSummary struct {
	Schema    string  `json:"schema"`
	Files     int     `json:"files"`
	Failed    int     `json:"failed"`
	Resources int     `json:"resources"`
	New       int     `json:"new"`
	There     int     `json:"alreadyThere"`
	Refused   int     `json:"refused"`
	Patients  int     `json:"patients"`
	Seconds   float64 `json:"seconds"`
	Rate      float64 `json:"resourcesPerSecond"`
	Available bool    `json:"available,omitempty"` // it was waited for
}

func (p *program) importCommand() *cobra.Command {
	who := exchange.Asker{Practitioner: "import", Name: "Import", Role: "records system", Purpose: exchange.Treat}
	i := &importer{p: p}
	var jobs int
	c := &cobra.Command{
		Use:   "import FILE|DIR|-…",
		Short: "Bring FHIR bundles in through the member's gateway, once",
		Long: `Sends FHIR R4 bundles or single resources (.json, .json.gz) and NDJSON (.ndjson, .ndjson.gz, as of a bulk data export) to the running
member. Of a directory it takes all such files; those whose names begin with "0-" go first, one after the other in their order, because
others refer to them: organisations, practitioners. The rest go side by side. - is standard input: one JSON document or several.

A file is taken as a whole or refused as a whole, if it is a transaction. Nothing is written twice: stop it when you like and start it
again. It waits for a member that restarts or has no quorum, as long as --patience. Patients without keys of their own are enrolled in the
member's custody; --cards writes a claim card for each, a secret that belongs into the patient's hands: with it the patient takes the chart over.
With --wait available it ends when other validators hold all of it too, or after --patience, and says so; what is in stays in.

Exit code 1 if a file failed, which is named with entry and element.`,
		Example: "  vitalog import records/ --cards cards/\n  vitalog import 0-organisations.json maria.json --json\n  vitalog import export/*.ndjson\n  zcat bundle.json.gz | vitalog import -",
		Args:    cobra.MinimumNArgs(1),
	}
	c.Flags().StringVar(&who.Practitioner, "practitioner", who.Practitioner, "who imports, as the member numbers them")
	c.Flags().StringVar(&who.Role, "role", who.Role, "in which role")
	c.Flags().IntVar(&jobs, "jobs", 4, "files at the same time")
	c.Flags().DurationVar(&i.patience, "patience", 5*time.Minute, "how long to wait for a member or a network that is away")
	c.Flags().StringVar(&i.cards, "cards", "", "directory for the claim cards of the patients that are enrolled, one SVG file each, mode 0600")
	i.wait.flags(c)
	p.jsonFlag(c)
	p.passphraseFlags(c)
	c.RunE = p.long(func(ctx context.Context, args []string) error {
		if err := i.wait.check(); err != nil {
			return err
		}
		if jobs < 1 || jobs > 64 {
			return misused("--jobs %d: want 1 to 64", jobs)
		}
		if i.patience < 0 {
			return misused("--patience %v: want a time to come", i.patience)
		}
		if i.cards != "" {
			if err := os.MkdirAll(i.cards, 0o700); err != nil {
				return err
			}
		}
		documents, err := p.importDocuments(args)
		if err != nil {
			return err
		}
		m, err := p.member()
		if err != nil {
			return err
		}
		i.m, i.who, i.began, i.total, i.progress = m, who, time.Now(), len(documents), p.progress()
		return i.run(ctx, documents, jobs)
	})
	return c
}

// importer counts what was brought in.
type importer struct {
	p        *program
	m        *member
	who      exchange.Asker
	patience time.Duration
	cards    string // directory, "" for none
	wait     awaiting
	began    time.Time
	total    int

	mu       sync.Mutex // of what follows, and of the program's output
	sum      importSummary
	first    error    // of the failures
	in       []string // what is there, if it is to be waited for
	progress *progress
}

// run imports the first documents in order and then the others side by side. One that fails doesn't stop the others; a member that stays
// away does.
func (i *importer) run(ctx context.Context, documents []document, jobs int) error {
	rest := documents
	for len(rest) > 0 && rest[0].first {
		if err := i.one(ctx, rest[0]); err != nil {
			return errors.Join(err, i.finish())
		}
		rest = rest[1:]
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	for _, d := range rest {
		g.Go(func() error {
			if err := gctx.Err(); err != nil {
				return err
			}
			return i.one(gctx, d)
		})
	}
	err := g.Wait()
	if err == nil {
		err = i.await(ctx)
	}
	i.progress.done()
	return errors.Join(err, i.finish())
}

// await waits, if it is to, until what was brought in is available.
func (i *importer) await(ctx context.Context) error {
	if i.wait.until == "" {
		return nil
	}
	i.progress.show("%s written, waiting until others hold them", count(len(i.in), "resource"))
	ctx, cancel := context.WithTimeout(ctx, i.patience)
	defer cancel()
	err := i.m.await(ctx, i.wait, i.in)
	i.sum.Available = err == nil
	return err
}

// one imports one document. Its error ends the import: that nobody answers, or that it was told to stop.
func (i *importer) one(ctx context.Context, d document) error {
	out := imported{Schema: "vitalog.import/v1", File: d.name}
	began := time.Now()
	body, err := d.read()
	if err == nil {
		err = i.post(ctx, body, &out)
	}
	out.Millis = time.Since(began).Milliseconds()
	if err != nil && (exitCode(err) == exitNetwork || exitCode(err) == exitLocked || ctx.Err() != nil) {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	var o *outcome
	if out.OK = err == nil; err != nil {
		out.Error = err.Error()
		if errors.As(err, &o) {
			out.Status, out.Element, out.Error = o.Status, o.Element, o.Text
			if o.Status == http.StatusUnauthorized {
				return fmt.Errorf("%s: %w", d.name, err)
			}
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sum.Files++
	i.sum.Resources += out.Resources
	i.sum.New += out.New
	i.sum.There += out.There
	i.sum.Refused += out.Refused
	i.sum.Patients += out.Patients
	if err != nil {
		i.sum.Failed++
		if i.first == nil {
			i.first = fmt.Errorf("%s: %w", d.name, err)
		}
	}
	switch {
	case i.p.json:
		return i.p.line(out)
	case err != nil:
		i.progress.done()
		i.p.say("%s %s: %v", i.p.red("✗"), d.name, err)
	}
	i.show()
	return nil
}

func (i *importer) show() {
	rate := float64(i.sum.Resources) / time.Since(i.began).Seconds()
	left := time.Duration(float64(time.Since(i.began)) / float64(i.sum.Files) * float64(i.total-i.sum.Files))
	i.progress.show("%d of %d files, %d resources, %.0f/s, %v left", i.sum.Files, i.total, i.sum.Resources, rate, left.Round(time.Second))
}

// finish prints the summary.
func (i *importer) finish() error {
	s := i.sum
	s.Schema, s.Seconds = "vitalog.import-summary/v1", time.Since(i.began).Seconds()
	s.Rate = float64(s.Resources) / s.Seconds
	if i.p.json {
		if err := i.p.line(s); err != nil {
			return err
		}
	} else {
		i.p.print("%s, %d failed: %s, %d new, %d already there, %d refused; %s enrolled; %.1f s, %.0f/s", count(s.Files, "file"), s.Failed,
			count(s.Resources, "resource"), s.New, s.There, s.Refused, count(s.Patients, "patient"), s.Seconds, s.Rate)
	}
	if s.Failed > 0 {
		return advise(importFailed{s.Failed, i.first}, "mend what is named and import the file again; the others are in")
	}
	return nil
}

// importFailed is always a plain failure, whatever the member's answer was: some files may have been taken.
type importFailed struct {
	n     int
	first error
}

func (f importFailed) Error() string {
	return fmt.Sprintf("%s failed, the first: %v", count(f.n, "file"), f.first)
}
