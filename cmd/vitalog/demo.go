package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"vitalog/internal/demo"
)

func (p *program) demoCommand() *cobra.Command {
	var verbose, s3 bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run a whole network of synthetic people on this machine",
		Long: `Starts a consortium in one process: a hospital, a pharmacy, a laboratory and a hospital abroad order the blocks; an insurer and a research
institute watch. Each has its own keys, stores and ports. All patients are synthetic: nobody in it exists.

It serves a page on localhost that tells the story in a browser, with the patient's own keys: ask, share, ask again, stop, tamper.

With --s3 it starts versitygw, an S3 server that is installed apart, and keeps each member's ciphertext in a bucket there. The tour and the page then look into the
buckets by S3. A demo that was begun so stays so.

It runs until Ctrl-C or SIGTERM. The data stays in --dir and is used again by the next run.`,
		Example: "  vitalog demo\n  vitalog demo --dir /tmp/consortium\n  vitalog demo --s3\n  vitalog demo tour",
		Args:    cobra.NoArgs,
	}
	c.Flags().BoolVar(&verbose, "verbose", false, "the members' logs, JSON lines on standard error")
	c.PersistentFlags().BoolVar(&s3, "s3", false, "the members' ciphertext lies in buckets of an S3 server, which the demo starts")
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		dir, err := p.base("demo")
		if err != nil {
			return err
		}
		return p.demo(ctx, dir, s3, verbose)
	})
	c.AddCommand(p.tourCommand(&s3))
	return c
}

// startDemo is demo.Start, and says what to do where no S3 server is installed.
func startDemo(ctx context.Context, dir string, o demo.Options) (*demo.Demo, error) {
	d, err := demo.Start(ctx, dir, o)
	if errors.Is(err, demo.ErrNoS3) {
		err = advise(err, "go install github.com/versity/versitygw/cmd/versitygw@v1.8.0 puts it into $(go env GOPATH)/bin, which must be in PATH; a demo in another --dir runs without --s3 as well")
	}
	return d, err
}

// demo runs the demo in dir until it is told to stop.
func (p *program) demo(ctx context.Context, dir string, s3, verbose bool) error {
	serving()
	p.say("SYNTHETIC DATA ONLY. Nobody in this demo exists. Never put real patients' data into it: its passphrases lie beside its keys.")
	began := time.Now()
	d, err := startDemo(ctx, dir, demo.Options{S3: s3, Log: demoLog(p, verbose), Say: func(what string) { p.say("  %5.1f s  %s", time.Since(began).Seconds(), what) }})
	if err != nil {
		return err
	}
	p.say("  %5.1f s  ready", time.Since(began).Seconds())
	page, err := d.Serve(ctx)
	if err != nil {
		return errors.Join(err, d.Close())
	}
	p.introduce(d, page)
	<-ctx.Done()
	p.say("stopping: what is under way is finished first")
	return d.Close()
}

func demoLog(p *program, verbose bool) *slog.Logger {
	level := slog.LevelError
	if verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewJSONHandler(p.talk, &slog.HandlerOptions{Level: level}))
}

// introduce says who is there and what to do next.
func (p *program) introduce(d *demo.Demo, page *demo.Page) {
	place := p.given()
	rows := [][]string{{"MEMBER", "--as", "FHIR"}}
	for _, m := range d.State.Members {
		rows = append(rows, []string{m.Title, m.Name, m.API + "/fhir"})
	}
	p.table(rows)
	if s := d.State.S3; s != nil {
		p.print("\nTheir ciphertext is in S3 at %s, a bucket for each, named as with --as; the keys to it are in %s", s.Endpoint, filepath.Join(d.Dir, "demo.json"))
	}
	if at := d.Nodes[demo.Number(demo.StElena)].Config.HL7; at != "" {
		p.print("\n%s takes HL7 v2 messages over MLLP: %s", d.State.Members[demo.Number(demo.StElena)].Title, at)
	}
	for _, s := range d.State.Patients {
		if s.App != "" {
			p.print("\n%s, who does not exist, keeps her own keys: --app %s, chart %s. Her app in a browser:", s.Name, s.App, s.Chart)
			p.print("  app        %s", d.State.Members[demo.Number(demo.Pharmacy)].API)
			p.print("  24 words   vitalog key words%s --app %s --yes", place, s.App)
			p.print("  There choose \"I have 24 words\", or begin a record of your own. SYNTHETIC: never type words of a real person's there.")
		}
	}
	p.print("\nThe story in a browser, doctor left, patient right:\n  page       %s", page.URL)
	p.print(`
Next, in another terminal:
  vitalog demo tour%[1]s
  vitalog consent list%[1]s --app maria
  vitalog audit list%[1]s --app maria
  vitalog status%[1]s

A token for curl, good for five minutes:
  TOKEN=$(vitalog token issue%[1]s --as st-elena --practitioner okafor --name "Dr. Ada Okafor" --role cardiologist --purpose TREAT)
  curl -H "Authorization: Bearer $TOKEN" %[2]s/fhir/metadata

Ctrl-C stops it; the data stays in %[3]s.`, place, d.State.Members[0].API, d.Dir)
}

func (p *program) tourCommand(s3 *bool) *cobra.Command {
	c := &cobra.Command{
		Use:   "tour",
		Short: "Tell the story in eight steps, each checked",
		Long: `Plays the story on the demo that is running in --dir, or on one that it starts in a temporary directory and takes away again.
Each step is checked against ledger and stores; the first that fails ends the tour, and the exit code says so.`,
		Example: "  vitalog demo tour\n  vitalog demo tour --s3\n  vitalog demo tour --json",
		Args:    cobra.NoArgs,
	}
	p.jsonFlag(c)
	c.RunE = p.long(func(ctx context.Context, _ []string) error {
		dir, err := p.base("demo")
		if err != nil {
			return err
		}
		w, err := demo.Open(dir)
		if err == nil && w.Running(ctx) {
			if *s3 && w.State.S3 == nil {
				return advise(fmt.Errorf("the demo that runs in %s has no S3 server", dir), "stop it and start it with --s3, or give another --dir")
			}
			return p.tour(ctx, w)
		}
		temp, err := os.MkdirTemp("", "vitalog-tour-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		p.say("no demo runs in %s: starting one of synthetic people for the tour", dir)
		serving()
		d, err := startDemo(ctx, temp, demo.Options{S3: *s3, Log: demoLog(p, false), Say: func(what string) { p.say("  %s", what) }})
		if err != nil {
			return err
		}
		defer d.Close()
		if w, err = demo.Open(temp); err != nil {
			return err
		}
		return p.tour(ctx, w)
	})
	return c
}

// tour shows the steps as they end.
func (p *program) tour(ctx context.Context, w *demo.World) error {
	return demo.Tour(ctx, w, func(s demo.Step) {
		if p.json {
			p.line(s)
			return
		}
		mark := p.green("✓")
		if !s.OK {
			mark = p.red("✗")
		}
		p.print("%s %d/%d %s   (%.1f s)", mark, s.Step, s.Of, s.Name, s.Seconds)
		for _, l := range s.Lines {
			p.print("      %s", l)
		}
		if !s.OK {
			p.print("      %s", fmt.Sprint("failed: ", s.Error))
		}
	})
}
