package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/fhir"
)

// written is what came of a write.
type written struct {
	Schema   string `json:"schema"`
	Resource string `json:"resource"`
	Version  string `json:"version"`
	Section  string `json:"section,omitempty"`
	Block    uint64 `json:"block,omitempty"`

	Available bool `json:"available,omitempty"` // it was waited for
}

func (p *program) recordPutCommand() *cobra.Command {
	var who exchange.Asker
	var id string
	var attach attached
	var wait awaiting
	c := &cobra.Command{
		Use:   "put FILE",
		Short: "Write one FHIR resource, or attach a file",
		Long: `Seals a resource and puts it on the ledger: through the member's gateway, or as the patient with --app. It is acknowledged when it is durable
and committed. With --id it is a new version of that resource, which only its author may write. - is standard input.

With --wait available it ends when other validators hold it too (spec/storage-receipts.md). If they don't in time it is written all the same.

With --attach the file is no FHIR: an image, a scan, a recording of up to 4 GiB, sealed as it is sent. It becomes a Binary of --patient. While the member is
away it waits, and goes on where it broke.`,
		Example: "  vitalog record put weight.json --practitioner okafor --role cardiologist --purpose TREAT\n  vitalog record put weight.json --app maria\n" +
			"  vitalog record put --attach ct.dcm --patient 4c1d… --practitioner okafor --role cardiologist --purpose TREAT",
		Args: cobra.MaximumNArgs(1),
	}
	p.appFlag(c)
	askerFlags(c, &who)
	c.Flags().StringVar(&id, "id", "", "write a new version of the resource of that id")
	attach.flags(c)
	wait.flags(c)
	p.jsonFlag(c)
	p.passphraseFlags(c)
	resource := p.soon(func(ctx context.Context, args []string) error {
		raw, err := p.read(args[0])
		if err != nil {
			return err
		}
		r, err := fhir.Parse(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		var w *written
		if p.app != "" {
			w, err = p.writeOwn(ctx, r, id)
		} else if err = checkAsker(who); err == nil {
			w, err = p.writeAs(ctx, who, r, id, wait)
		}
		return p.wrote(w, err)
	})
	file := p.long(func(ctx context.Context, _ []string) error { return p.attach(ctx, who, attach, wait) })
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := wait.check(); err != nil {
			return err
		}
		switch {
		case wait.until != "" && p.app != "":
			return misused("--wait is for a member's writes, not for --app")
		case attach.file == "" && len(args) == 1:
			return resource(c, args)
		case attach.file == "" || len(args) == 1 || id != "" || p.app != "":
			return misused("name one FILE with a resource, or --attach a file to the chart of --patient, as a member")
		}
		return file(c, args)
	}
	return c
}

// wrote tells what came of a write, also where waiting for others failed after it.
func (p *program) wrote(w *written, failed error) error {
	if w == nil {
		return failed
	}
	if p.json {
		return errors.Join(failed, p.line(w))
	}
	where := ""
	if w.Block > 0 {
		where = fmt.Sprintf(", block %d", w.Block)
	}
	if w.Available {
		where += ", available"
	}
	p.print("%s version %s: sealed, signed%s", w.Resource, w.Version, where)
	return failed
}

// read reads a file or standard input.
func (p *program) read(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(p.in)
	}
	return os.ReadFile(name)
}

// writeAs writes through the member's gateway.
func (p *program) writeAs(ctx context.Context, who exchange.Asker, r *fhir.Resource, id string, wait awaiting) (*written, error) {
	m, err := p.member()
	if err != nil {
		return nil, err
	}
	method, path, body := http.MethodPost, "/fhir/"+url.PathEscape(r.Type()), r.Raw()
	if id != "" {
		method, path, body = http.MethodPut, path+"/"+url.PathEscape(id), r.Rewrite(id, nil, nil)
	}
	a, err := m.ask(ctx, who, method, path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return m.written(ctx, a.header, r.Type()+"/"+id, wait)
}

// written reads where a gateway says that something stands, and waits if it is to. An update may leave it out.
func (m *member) written(ctx context.Context, h http.Header, name string, wait awaiting) (*written, error) {
	if _, at, ok := strings.Cut(h.Get("Location"), m.config.URL()+"/fhir/"); ok {
		name, _, _ = strings.Cut(at, "/_history/")
	}
	version := strings.TrimSuffix(strings.TrimPrefix(h.Get("ETag"), `W/"`), `"`)
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout) // an attachment has had the time that it took
	defer cancel()
	err := m.await(ctx, wait, []string{name})
	return &written{Schema: "vitalog.written/v1", Resource: name, Version: version, Available: wait.until != "" && err == nil}, err
}

// writeOwn writes as the patient, with the keys of the app.
func (p *program) writeOwn(ctx context.Context, r *fhir.Resource, id string) (*written, error) {
	a, err := p.patient()
	if err != nil {
		return nil, err
	}
	s, directory, err := chart.Place(r)
	if err != nil {
		return nil, misused("%s: %v", r.Type(), err)
	}
	if directory {
		return nil, misused("a %s is about no patient: a member writes it", r.Type())
	}
	d := exchange.Draft{Resource: r, ID: id, Section: s}
	switch {
	case r.Type() == "Patient":
		d.ID = a.ChartID() // what every reader calls the patient
	case id == "":
		d.ID = newID()
	}
	if id != "" || r.Type() == "Patient" {
		if d.Supersedes, err = a.versions(ctx, d); err != nil {
			return nil, err
		}
		if id != "" && len(d.Supersedes) == 0 {
			return nil, exchange.ErrNotShared
		}
	}
	d.Group = r.Type() + "/" + d.ID
	done, err := a.Publish(ctx, []exchange.Draft{d})
	if err != nil {
		return nil, err
	}
	return &written{Schema: "vitalog.written/v1", Resource: d.Group, Version: strconv.FormatUint(done[0].Entry, 10), Section: s.String(), Block: done[0].Block}, nil
}

// versions are the entries that a new version of a resource replaces: those that none has replaced yet.
func (a *app) versions(ctx context.Context, d exchange.Draft) (out []uint64, err error) {
	own, failed, err := a.Record(ctx, d.Section)
	if err != nil {
		return nil, err
	}
	if len(failed) > 0 {
		return nil, fmt.Errorf("what it replaces can't be told: %w", failed[0])
	}
	r := own.Get(d.Resource.Type(), d.ID)
	if r == nil {
		return nil, nil
	}
	if r.Author().Member != "" {
		return nil, advise(fmt.Errorf("%s/%s was written by %s: %w", r.Type, r.ID, r.Author().Member, errRefused), "only its author may change it: ask %s to amend it", r.Author().Member)
	}
	for _, v := range r.Heads() {
		out = append(out, v.Entry)
	}
	return out, nil
}

// newID is a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
