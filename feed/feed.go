// Package feed takes HL7 v2 messages and CDA documents into patients' charts, through the gateway of the member.
//
// It promises that AA is answered only once everything that the message says is on the ledger; that a message that comes again, over a
// restart too, gets its answer again and writes nothing; and that a patient's messages, on whatever connection, are taken one after the
// other. It refuses another message under the control id of one that was taken. It opens nothing itself: what it has to know of a chart
// it asks the gateway for, as the sending application, and the patient sees it.
//
//	MSH|…|ADT1|GHH|…|ADT^A01|00017|P|2.5.1   →   POST /fhir, Idempotency-Key: "SHA-256 of ADT1, GHH, 00017 and the bundle"
//	                                         ←   MSA|AA|00017, after the answer
//
// See spec/hl7.md.
package feed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/hl7"
)

// patience is how long a message may take before its sender is told to send it again.
const patience = 2 * time.Minute

// Config is what a feed needs.
type Config struct {
	Member   *exchange.Member
	Gateway  http.Handler                               // the FHIR address, under /fhir
	Token    func(who exchange.Asker) (string, error)   // an access token for it
	Sender   func(authorization string) (string, error) // who sends with a header Authorization, one name for each
	Settings hl7.Settings
	Log      *slog.Logger
	Now      func() time.Time // default: time.Now
}

// Feed takes messages. It is safe for concurrent use.
type Feed struct {
	Config
	busy [256]sync.Mutex // by hash, of patients and of messages: locked in order
}

// New is a feed.
func New(c Config) *Feed {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Feed{Config: c}
}

// Answer takes one message and returns its acknowledgement. peer is the sender's name as its certificate has it, if it has one.
func (f *Feed) Answer(ctx context.Context, peer string, raw []byte) []byte {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := f.Now()
	m, why := f.take(ctx, peer, raw)
	code, number := hl7.Accept, hl7.Number(0)
	if why != nil {
		code, number = why.Code, why.Number
	}
	f.Log.Info("HL7 message", "answer", string(code), "condition", int(number), "took", f.Now().Sub(began).Round(time.Microsecond))
	return hl7.Answer(m, why, f.Now())
}

// Refuse is the acknowledgement of what is no message.
func (f *Feed) Refuse(why error) []byte {
	return hl7.Answer(nil, &hl7.Error{Code: hl7.Reject, Number: hl7.SequenceError, Text: why.Error()}, f.Now())
}

// note is what the journal has of a message.
type note struct {
	Message []byte          `json:"message"` // SHA-256; nil: it was refused, and left nothing
	Now     json.RawMessage `json:"now,omitempty"`
	Later   json.RawMessage `json:"later,omitempty"`
	Done    bool            `json:"done,omitempty"`
	At      string          `json:"at,omitempty"` // where the last resource of a document stands
}

func (f *Feed) take(ctx context.Context, peer string, raw []byte) (*hl7.Message, *hl7.Error) {
	m, err := hl7.Parse(raw)
	if err != nil {
		return m, err.(*hl7.Error)
	}
	change, why := hl7.Read(m, f.Settings)
	if why != nil {
		return m, why
	}
	name := fmt.Sprintf("HL7v2 %q %q %q", m.Application(), m.Facility(), m.Control())
	defer f.alone(name, change)()
	hash := sha256.Sum256(m.Bytes())
	var n note
	if _, err := f.Member.Recall(name, &n); err != nil {
		return m, f.broke(err)
	}
	switch {
	case n.Message != nil && !bytes.Equal(n.Message, hash[:]):
		return m, &hl7.Error{Code: hl7.Fail, Number: hl7.DuplicateKey, At: "MSH-10", Text: "another message came with this control id; give each its own"}
	case n.Done:
		return m, nil
	}
	s := session{Feed: f, who: asker(m, peer), name: name}
	return m, s.bring(ctx, &n, hash[:], change)
}

// bring writes what a message says, or goes on with it as n has it.
func (s *session) bring(ctx context.Context, n *note, hash []byte, c *hl7.Change) (why *hl7.Error) {
	for try := 1; ; try++ {
		if n.Message == nil {
			// Crash point: until the note is durable nothing was written. After it the same bundles are sent, whatever is known by then.
			n.Message = hash
			if n.Now, n.Later, why = s.prepare(ctx, c); why != nil {
				return why
			}
			if err := s.Member.Keep(s.name, n); err != nil {
				return s.broke(err)
			}
		}
		at, why := s.write(ctx, n)
		if why == nil {
			*n = note{Message: n.Message, Done: true, At: at}
		} else if why.Code == hl7.Fail {
			*n = note{}
		} else {
			return why
		}
		if err := s.Member.Keep(s.name, n); err != nil {
			return s.broke(err)
		}
		if why == nil || why.Number != changed || try == tries {
			return why
		}
	}
}

// tries is how often a message is prepared anew because what it updates was changed by others meanwhile.
const tries = 3

const changed = hl7.RecordLocked

// broke is the answer to what the sender can't help.
func (f *Feed) broke(err error) *hl7.Error {
	f.Log.Error("an HL7 message", "err", err)
	return again
}

var again = &hl7.Error{Code: hl7.Reject, Number: hl7.InternalError, Text: "this member or its network can't take it now; nothing is lost, send it again"}

// alone waits until nobody works on the message, or on one of its patients.
func (f *Feed) alone(name string, c *hl7.Change) (done func()) {
	var places []int
	hold := func(s string) {
		h := fnv.New32a()
		h.Write([]byte(s))
		places = append(places, int(h.Sum32()%uint32(len(f.busy))))
	}
	hold(name)
	for _, id := range append(slices.Clone(c.Patient), c.Prior...) {
		hold(id.String())
	}
	slices.Sort(places)
	places = slices.Compact(places)
	for _, p := range places {
		f.busy[p].Lock()
	}
	return func() {
		for _, p := range places {
			f.busy[p].Unlock()
		}
	}
}

// asker is the sending application, as the patient sees it.
func asker(m *hl7.Message, peer string) exchange.Asker {
	app := brief(m.Application())
	if app == "" {
		app = "hl7"
	}
	name := app
	if facility := m.Facility(); facility != "" {
		name += " at " + facility
	}
	if peer != "" {
		name += ", " + peer
	}
	return exchange.Asker{Practitioner: app, Name: brief(name), Role: "interface", Purpose: exchange.Treat, Reason: "HL7 v2 " + brief(m.Type()), Machine: true}
}

func brief(s string) string {
	const most = 200 // bytes
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return s
}

// session is the work on one message.
type session struct {
	*Feed
	who  exchange.Asker
	auth string // instead of who: the Authorization header of who sends
	name string // in the journal
}

// key is the Idempotency-Key of a bundle of the message.
func (s *session) key(bundle []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q", s.name)
	h.Write(bundle)
	return fmt.Sprintf("%x", h.Sum(nil))
}

// prepare finds what is there already, and makes the bundles.
func (s *session) prepare(ctx context.Context, c *hl7.Change) (now, later []byte, why *hl7.Error) {
	var known hl7.Known
	if c.Chart != "" {
		known.Patient = &hl7.Current{ID: c.Chart}
	} else if known.Patient, why = s.patient(ctx, c.Patient, "PID-3", c.Refreshes || c.Merges()); why != nil {
		return nil, nil, why
	}
	if c.Merges() {
		if known.Prior, why = s.patient(ctx, c.Prior, "MRG-1", true); why != nil {
			return nil, nil, why
		}
	}
	if known.Patient != nil {
		for kind, keys := range c.Keys() {
			if kind == "Patient" {
				continue
			}
			found, why := s.search(ctx, kind, known.Patient.ID, keys)
			if why != nil {
				return nil, nil, why
			}
			known.Resources = append(known.Resources, found...)
		}
	}
	return c.Bundle(known)
}

// patient finds the chart of who has one of the numbers, and if it is whole what is in its Patient.
func (s *session) patient(ctx context.Context, ids []fhir.Identifier, at string, whole bool) (*hl7.Current, *hl7.Error) {
	var p *hl7.Current
	for _, id := range ids {
		chart, ok, err := s.Member.FindPatient(id.System, id.Value)
		switch {
		case err != nil:
			return nil, s.broke(err)
		case ok && p != nil && p.ID != chart:
			return nil, &hl7.Error{Code: hl7.Fail, Number: hl7.DuplicateKey, At: at, Text: "these numbers are those of several patients here"}
		case ok:
			p = &hl7.Current{ID: chart}
		}
	}
	if p == nil || !whole {
		return p, nil
	}
	a := s.ask(ctx, http.MethodGet, "/fhir/Patient/"+p.ID, nil, "")
	switch {
	case a.status == http.StatusOK:
		p.Raw = a.body.Bytes()
		return p, nil
	case a.status >= http.StatusInternalServerError:
		return nil, again
	}
	return nil, &hl7.Error{Code: hl7.Fail, Number: hl7.RecordLocked, At: at, Text: "the demographics of this patient are not shared with this member, so it can't change them"}
}

// maxAsked is how many identifiers one search asks for.
const maxAsked = 30

// search finds resources of a type by their identifiers. What isn't shared is as if it weren't there.
func (s *session) search(ctx context.Context, kind, patient string, keys []fhir.Identifier) (out []hl7.Current, why *hl7.Error) {
	for some := range slices.Chunk(keys, maxAsked) {
		var tokens []string
		for _, k := range some {
			tokens = append(tokens, token.Replace(k.System)+"|"+token.Replace(k.Value))
		}
		q := url.Values{"patient": {patient}, "identifier": {strings.Join(tokens, ",")}, "_count": {"500"}}
		a := s.ask(ctx, http.MethodGet, "/fhir/"+kind+"?"+q.Encode(), nil, "")
		switch {
		case a.status >= http.StatusInternalServerError:
			return nil, again
		case a.status != http.StatusOK:
			continue
		}
		var set struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.Unmarshal(a.body.Bytes(), &set); err != nil {
			return nil, s.broke(err)
		}
		for _, e := range set.Entry {
			r, err := fhir.Parse(e.Resource)
			if err == nil && r.Type() == kind {
				out = append(out, hl7.Current{ID: r.ID(), Raw: e.Resource})
			}
		}
	}
	return out, nil
}

// token escapes what a search token would take for its own.
var token = strings.NewReplacer(`\`, `\\`, ",", `\,`, "|", `\|`, "$", `\$`)

// write sends the bundles, and tells where the last resource of the second stands. An error with Fail says that nothing was written.
func (s *session) write(ctx context.Context, n *note) (at string, why *hl7.Error) {
	later := string(n.Later)
	if n.Now != nil {
		a := s.ask(ctx, http.MethodPost, "/fhir", n.Now, s.key(n.Now))
		if why := a.refusal(hl7.Fail); why != nil {
			return "", why
		}
		var sent struct{ Entry []struct{ FullURL string } }
		places := a.places()
		if err := json.Unmarshal(n.Now, &sent); err != nil || len(sent.Entry) != len(places) {
			return "", again
		}
		for i, e := range sent.Entry {
			place, _, _ := strings.Cut(places[i], "/_history/")
			later = strings.ReplaceAll(later, e.FullURL, place)
		}
	}
	if later == "" {
		return "", nil
	}
	// Crash point: the first bundle is written and the note has the second, which is sent when the message comes again.
	a := s.ask(ctx, http.MethodPost, "/fhir", []byte(later), s.key([]byte(later)))
	if why := a.refusal(hl7.Reject); why != nil {
		return "", why
	}
	places := a.places()
	if len(places) == 0 {
		return "", again
	}
	return places[len(places)-1], nil
}

// places are where the resources of a bundle stand.
func (a *answer) places() (out []string) {
	var got struct {
		Entry []struct{ Response struct{ Location string } }
	}
	if json.Unmarshal(a.body.Bytes(), &got) != nil {
		return nil
	}
	for _, e := range got.Entry {
		out = append(out, e.Response.Location)
	}
	return out
}

// answer is what the gateway says, in memory.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { a.WriteHeader(http.StatusOK); return a.body.Write(b) }
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// ask sends one request to the gateway, with a token of its own.
func (s *session) ask(ctx context.Context, method, target string, body []byte, key string) *answer {
	a := &answer{header: http.Header{}}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		s.broke(err)
		a.status = http.StatusInternalServerError
		return a
	}
	auth := s.auth
	if auth == "" {
		t, err := s.Token(s.who)
		if err != nil {
			s.broke(err)
			a.status = http.StatusInternalServerError
			return a
		}
		auth = "Bearer " + t
	}
	r.Header.Set("Authorization", auth)
	r.Header.Set("Accept", "application/fhir+json")
	if body != nil {
		r.Header.Set("Content-Type", "application/fhir+json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", `"`+key+`"`)
	}
	s.Gateway.ServeHTTP(a, r)
	return a
}

// refusal is why the gateway took nothing, nil if it did. code is what the sender gets where the message is to blame.
func (a *answer) refusal(code hl7.Code) *hl7.Error {
	if a.status == http.StatusOK {
		return nil
	}
	if a.status >= http.StatusInternalServerError || a.status == http.StatusUnauthorized || a.status == http.StatusTooManyRequests {
		return again
	}
	var o struct {
		Issue []struct {
			Diagnostics string
			Expression  []string
		}
	}
	why := &hl7.Error{Code: code, Number: hl7.InternalError, Text: "the member did not take it"}
	if json.Unmarshal(a.body.Bytes(), &o) == nil && len(o.Issue) > 0 {
		why.Text = o.Issue[0].Diagnostics
		if at := o.Issue[0].Expression; len(at) > 0 {
			why.Text = at[0] + ": " + why.Text
		}
	}
	switch a.status {
	case http.StatusPreconditionFailed, http.StatusConflict:
		why.Number = changed
	case http.StatusForbidden, http.StatusNotFound:
		why.Number = hl7.UnknownKey
	}
	return why
}
