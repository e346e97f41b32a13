package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"time"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/grant"
	"vitalog/section"
)

// Story is how far the story is, as both sides see it.
type Story struct {
	Stage   stage    `json:"stage"`
	Doing   string   `json:"doing"` // the button whose deed is under way
	Can     []string `json:"can"`   // buttons whose turn it is
	Next    string   `json:"next"`  // the one that goes on with the story
	Failed  string   `json:"failed"`
	Told    []Told   `json:"told"` // oldest first
	Doctor  Doctor   `json:"doctor"`
	Patient Patient  `json:"patient"`
	Cloud   Tampered `json:"cloud"`
}

type stage string

const (
	left    stage = "left" // what was shared before this story, and is to end first
	begun   stage = "begun"
	waiting stage = "waiting" // the request, for Maria
	shared  stage = "shared"
	read    stage = "read"
	stopped stage = "stopped"
)

// Told is one thing that took place.
type Told struct {
	Side  string `json:"side"` // doctor, patient, cloud
	Mark  string `json:"mark"` // refused, waits, done, bad
	Text  string `json:"text"`
	Block uint64 `json:"block,omitempty"`
}

// Doctor is what Dr. Okafor's screen shows.
type Doctor struct {
	Name     string    `json:"name"`
	Role     string    `json:"role"`
	Member   string    `json:"member"`
	Reason   string    `json:"reason"`
	Readings []reading `json:"readings"` // oldest first
	Block    uint64    `json:"block"`    // of the access
	Took     int64     `json:"took"`     // ms
}

// Patient is what Maria's shows.
type Patient struct {
	Name    string   `json:"name"`
	Home    string   `json:"home"`
	Asked   int      `json:"asked"`   // sections, by the request that waits
	Gives   []string `json:"gives"`   // sections, if Maria shares
	Until   string   `json:"until"`   // of what she shares now; empty: nothing
	Readers []string `json:"readers"` // who reads by what she shared before
	Rows    []Row    `json:"rows"`    // newest first, since the story began
	Counted int      `json:"counted"` // refusals of this story that the ledger only counts
	Proven  bool     `json:"proven"`
	Signed  int      `json:"signed"`
	Of      int      `json:"of"`
	written uint64   // block before the story's first
}

// Row is one access, as Maria sees it.
type Row struct {
	At      time.Time `json:"at"`
	Name    string    `json:"name"`
	Member  string    `json:"member"`
	Section string    `json:"section"`
	Reason  string    `json:"reason"`
	Records int       `json:"records"`
	Allowed bool      `json:"allowed"`
	Why     string    `json:"why"`
	More    int       `json:"more"` // refusals of an hour that have no row of their own
	Block   uint64    `json:"block"`
}

// Tampered is what became of the object in the pharmacy's store.
type Tampered struct {
	State  string `json:"state"`  // empty, flipped, named, healed
	Object string `json:"object"` // its name
	At     int    `json:"at"`     // the byte of it
	Before string `json:"before"` // the flip, in hex
	After  string `json:"after"`
}

// deed is what a button does. It returns where the story then is.
type deed func(context.Context) (stage, error)

// buttons are the deeds by the paths that they are posted to.
func (p *Page) buttons() map[string]deed {
	return map[string]deed{"ask": p.ask, "share": p.share, "ask-again": p.askAgain, "stop": p.stop, "tamper": p.tamper, "reset": p.reset}
}

// turns are the buttons that go on from a stage, the one that the story expects first.
var turns = map[stage][]string{begun: {"ask"}, waiting: {"share"}, shared: {"ask-again", "stop"}, read: {"stop", "ask-again"}}

// at goes to a stage. Tampering and the beginning are always in reach.
func (s *Story) at(to stage) {
	s.Stage, s.Can = to, append(slices.Clone(turns[to]), "tamper", "reset")
	s.Next = s.Can[0]
	if s.Next == "tamper" && s.Cloud.State != "" {
		s.Next = "reset"
	}
}

// begin shows the story at its beginning, or that it can't begin yet.
func (p *Page) begin(ctx context.Context) (stage, error) {
	all, err := p.do.maria.Sharing(ctx)
	if err != nil {
		return "", err
	}
	who := p.do.okafor.who
	s := Story{Told: []Told{}, Doctor: Doctor{Name: who.Name, Role: who.Role, Member: p.do.okafor.title, Reason: who.Reason, Readings: []reading{}},
		Patient: Patient{Home: p.d.State.Members[Number(Pharmacy)].Title, Gives: words(narrowed), Rows: []Row{}, Readers: []string{}, written: p.d.Node(Pharmacy).Chain.Ledger().Height()}}
	if m, ok := p.do.w.Patient(maria); ok {
		s.Patient.Name = m.Name
	}
	for _, g := range all {
		if g.Member < 0 || g.Revoked || g.Rights&consent.Read == 0 {
			continue
		}
		if title := p.d.State.Members[g.Member].Title; !slices.Contains(s.Patient.Readers, title) {
			s.Patient.Readers = append(s.Patient.Readers, title)
		}
	}
	to := begun
	if len(s.Patient.Readers) > 0 {
		to = left
	}
	s.at(to)
	p.change(func() {
		s.Doing = p.story.Doing
		p.story = s
	})
	return to, nil
}

// begins says whether it is the turn of a button, and if so that its deed is under way.
func (p *Page) begins(name string) bool {
	ok := slices.Contains(p.now().Can, name)
	if ok {
		p.change(func() { p.story.Doing, p.story.Failed = name, "" })
	}
	return ok
}

func (p *Page) ends(to stage, err error) {
	p.change(func() {
		p.story.Doing = ""
		if err != nil {
			p.story.Failed = err.Error()
			return
		}
		p.story.at(to)
	})
}

func (p *Page) tell(side, mark string, block uint64, format string, a ...any) {
	p.change(func() {
		p.story.Told = append(slices.Clip(p.story.Told), Told{Side: side, Mark: mark, Text: fmt.Sprintf(format, a...), Block: block})
	})
}

// look shows what Maria's app does: who looked, and that nothing is missing.
func (p *Page) look(ctx context.Context) error {
	log, err := p.do.maria.Activity(ctx)
	if err != nil {
		return err
	}
	rows := []Row{}
	for _, r := range log.Rows {
		if r.Block <= p.now().Patient.written {
			continue
		}
		detail := r.Detail
		if detail == nil {
			detail = &grant.Detail{}
		}
		rows = append(rows, Row{At: r.At, Name: detail.Name, Member: r.Member, More: r.Count, Section: word(r.Section), Reason: detail.Reason, Records: r.Records, Allowed: r.Why == consent.Allowed,
			Why: r.Why.String(), Block: r.Block})
	}
	p.change(func() {
		m := &p.story.Patient
		m.Rows, m.Proven, m.Signed, m.Of = rows, log.Proven, log.Signed, log.Of
	})
	return nil
}

func (p *Page) ask(ctx context.Context) (stage, error) {
	err := p.refuses(ctx, func(r *refusal) string {
		return "Refused. St. Elena may write into Maria's record and not read it. The attempt itself is " + r.onLedger() + "."
	})
	if err != nil {
		return "", err
	}
	q, err := p.do.requests(ctx)
	if err != nil {
		return "", err
	}
	p.tell("doctor", "waits", 0, "So Dr. Okafor asks Maria, for all %d sections. The request waits for her.", len(q.Sections))
	p.tell("patient", "waits", q.Block, "A sealed request reached Maria's inbox. Only she can read who asks, and for what.")
	p.change(func() { p.story.Patient.Asked = len(q.Sections) })
	return waiting, nil
}

// refuses tells Dr. Okafor's refusal. what says how it goes on.
func (p *Page) refuses(ctx context.Context, what func(*refusal) string) error {
	r, err := p.do.refused(ctx)
	if err != nil {
		return err
	}
	if r.counted {
		p.change(func() { p.story.Patient.Counted++ })
	}
	p.tell("doctor", "refused", r.block, "%s", what(r))
	return p.look(ctx)
}

func (r *refusal) onLedger() string {
	if r.counted {
		return "counted on the ledger, after many within this hour"
	}
	return "on the ledger"
}

func (p *Page) share(ctx context.Context) (stage, error) {
	inbox, _, err := p.do.maria.Inbox(ctx)
	if err != nil {
		return "", err
	}
	q := inbox[len(inbox)-1] // Dr. Okafor's
	if q.Answered {
		return "", errors.New("the request was answered elsewhere")
	}
	g, err := p.do.narrows(ctx, q)
	if err != nil {
		return "", err
	}
	p.tell("patient", "done", 0, "Narrowed. Of the %d sections Maria gives two, for treatment, for 90 days.", len(q.Sections))
	p.tell("patient", "done", g.block, "Final: signed by Maria, agreed on by %d of %d validators.", g.signed, g.of)
	p.change(func() { p.story.Patient.Asked, p.story.Patient.Until = 0, g.until.UTC().Format(time.RFC3339) })
	return shared, p.look(ctx)
}

func (p *Page) askAgain(ctx context.Context) (stage, error) {
	o, err := p.do.reads(ctx, p.d.Node(Pharmacy).Chain.Ledger().Height())
	if err != nil {
		return "", err
	}
	if o.row.Further {
		p.tell("doctor", "done", o.row.Block, "The readings are still open at St. Elena. Each further look at them is a row on the ledger too.")
	} else {
		p.tell("doctor", "done", o.row.Block, "Trace first: the access is final on the ledger before any key is released.")
		p.tell("doctor", "done", 0, "Then released: enough members gave their shares of the keys of %d sealed records, each from its own ledger.", o.row.Records)
	}
	p.change(func() {
		d := &p.story.Doctor
		d.Readings, d.Block, d.Took = o.readings, o.row.Block, o.took.Milliseconds()
	})
	p.tell("doctor", "done", 0, "Opened at St. Elena: %d readings, %d ms after the question.", len(o.readings), o.took.Milliseconds())
	return read, p.look(ctx)
}

func (p *Page) stop(ctx context.Context) (stage, error) {
	ended, err := p.do.stops(ctx)
	if err != nil {
		return "", err
	}
	p.tell("patient", "done", ended[0].Block, "Stopped, from the next read on, also for what was never opened.")
	seen := p.now().Doctor
	p.change(func() { p.story.Doctor.Readings, p.story.Patient.Until = []reading{}, "" })
	err = p.refuses(ctx, func(r *refusal) string {
		return fmt.Sprintf("Dr. Okafor asks once more. Refused, %s: the attempt is %s.", r.why, r.onLedger())
	})
	if err == nil && len(seen.Readings) > 0 {
		p.tell("patient", "done", seen.Block, "What was opened before can't be un-seen. Maria knows exactly what that was.")
	}
	return stopped, err
}

// tamper flips one of the bits that the page shows.
func (p *Page) tamper(ctx context.Context) (stage, error) {
	scan, whole, err := p.target(ctx)
	if err != nil {
		return "", err
	}
	where := "store"
	if p.do.buckets != nil {
		where = "bucket"
	}
	in := rand.IntN(headSize)
	at := scan.at + in
	now := Tampered{State: "flipped", Object: path.Base(scan.object), At: at, Before: fmt.Sprintf("%02x", whole[at]), After: fmt.Sprintf("%02x", whole[at]^1)}
	var named *exchange.Damage
	told := func(d *exchange.Damage) {
		if named = d; d == nil {
			p.change(func() { p.story.Cloud = now })
			p.tell("cloud", "bad", 0, "One bit of byte %d is flipped, in the %s of %s, behind its back.", at, where, p.story.Patient.Home)
			return
		}
		p.change(func() { p.story.Cloud.State = "named" })
		p.tell("cloud", "bad", d.Block, "Its own check names exactly one record: %s, written by %s.", shorten(d.Record), p.signer(ctx, d.Log, d.Writer))
	}
	healed, checked, err := p.do.flips(ctx, &scan.kept, in, told)
	if err != nil {
		return "", err
	}
	if *named.Record != scan.record || named.Log != scan.log || named.Block != scan.block {
		return "", fmt.Errorf("the check named %v, and %v was altered", named, scan.record)
	}
	from := "another member"
	if healed.From != nil {
		from = p.d.State.Members[*healed.From].Title
	}
	p.change(func() { p.story.Cloud.State = "healed" })
	p.tell("cloud", "done", 0, "Healed by the copy of %s: all %d ciphertexts and %d headers are whole.", from, checked.Blobs, checked.Headers)
	if p.do.buckets != nil {
		p.tell("cloud", "done", 0, "The altered object is gone from the bucket: what was whole in it is packed anew.")
	}
	return p.now().Stage, nil
}

func (p *Page) reset(ctx context.Context) (stage, error) {
	if err := p.do.afresh(ctx); err != nil {
		return "", err
	}
	return p.begin(ctx)
}

// word is a section's name as people read it.
func word(s section.Section) string {
	switch s {
	case section.Vitals:
		return "vital signs"
	case section.Medications:
		return "medicines"
	case section.Labs:
		return "lab results"
	case section.Encounters:
		return "visits and notes"
	case section.PatientGenerated:
		return "own notes and devices"
	case section.Inbox:
		return "inbox"
	case section.Index:
		return "own index"
	}
	return s.String()
}

func words(sections []section.Section) []string {
	var out []string
	for _, s := range sections {
		out = append(out, word(s))
	}
	return out
}
