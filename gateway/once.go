package gateway

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"vitalog/exchange"
	"vitalog/fhir"
)

// once is a request that its sender may send again: it has an Idempotency-Key. A nil one is a request that is another one each time. See
// spec/import.md.
type once struct {
	g    *gateway
	name string // in the journal: of a client, a method, a path and a key
	body hash.Hash
	kept *kept // nil: it came for the first time
}

// once takes a request's key, if it has one, and waits until nobody else works on the same. The caller must call done.
func (g *gateway) once(r *http.Request) (o *once, done func(), err error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return nil, func() {}, nil
	}
	key, ok := requestKey(values)
	if !ok {
		return nil, nil, badRequest("invalid", "Idempotency-Key: want one string of 8 to 128 letters, digits and - _ . : ~ in quotes.")
	}
	o = &once{g: g, name: r.Method + " " + strings.TrimSuffix(r.URL.EscapedPath(), "/") + " " + key, body: sha256.New()}
	if client := g.Member.access.Client; client != "" {
		o.name += " " + client
	}
	done, err = g.atWork.hold(r.Context(), []fhir.Identifier{{Value: o.name}})
	if err != nil {
		return nil, nil, err
	}
	if o.kept, err = g.recall(o.name); err != nil {
		done()
		return nil, nil, err
	}
	return o, done, nil
}

// requestKey is the key in a header, with or without the quotes of a structured string (RFC 8941).
func requestKey(values []string) (key string, ok bool) {
	key = values[0]
	if n := len(key); n >= 2 && key[0] == '"' && key[n-1] == '"' {
		key = key[1 : n-1]
	}
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:~"
	return key, len(values) == 1 && len(key) >= 8 && len(key) <= 128 && strings.Trim(key, allowed) == ""
}

// read is the request's body, of which o takes note.
func (o *once) read(body io.Reader) io.Reader {
	if o == nil {
		return body
	}
	return io.TeeReader(body, o.body)
}

// answered tells whether the request has its answer. The body must be read to its end before same is called.
func (o *once) answered() bool { return o != nil && o.kept != nil && o.kept.Answer != nil }

// same refuses another body under the same key.
func (o *once) same() error {
	if o == nil || o.kept == nil || slices.Equal(o.kept.Body, o.body.Sum(nil)) {
		return nil
	}
	return &problem{status: http.StatusUnprocessableEntity, code: "business-rule",
		text: "Another request was sent with this Idempotency-Key. Send this one with a key of its own."}
}

// planned is what an earlier attempt decided of an entry, nil if nothing.
func (o *once) planned(in *incoming) *planned {
	if o == nil || o.kept == nil || in.entry.Index >= len(o.kept.Plan) || o.kept.Plan[in.entry.Index].empty() {
		return nil
	}
	return &o.kept.Plan[in.entry.Index]
}

// found is what conditional references led to in an earlier attempt.
func (o *once) found(ref string) (link, bool) {
	if o == nil || o.kept == nil {
		return link{}, false
	}
	p := fhir.ParseReference(o.kept.Found[ref])
	return link{typ: p.Type, id: p.ID}, p.ID != ""
}

// newID is an id for a new resource: random, or the same in every attempt.
func (o *once) newID(in *incoming) string {
	if o == nil {
		return newID()
	}
	b := o.g.Member.Derive("resource", fmt.Sprintf("%s %d", o.name, in.entry.Index))
	return uuid([16]byte(b[:]), 8)
}

// who is the one for whom the first attempt wrote.
func (o *once) who(now exchange.Asker) exchange.Asker {
	if o == nil || o.kept == nil {
		return now
	}
	return o.kept.Who
}

// publication names what is published for a chart.
func (o *once) publication() exchange.Once {
	if o == nil {
		return exchange.Once{}
	}
	return exchange.Once{Key: o.name, At: o.kept.At}
}

// plan makes what was prepared durable, before the first effect: the keys of the patients who come in, and for a request with a key all that
// another attempt has to decide in the same way.
func (o *once) plan(g *gateway, kind string, who exchange.Asker, all []*incoming) error {
	var newcomers []*exchange.Newcomer
	charts := map[*incoming]string{}
	for _, in := range all {
		if in.err != nil || in.patient.new != in {
			continue
		}
		var names []string
		if o != nil {
			for _, id := range in.names() {
				names = append(names, id.System+"|"+id.Value)
			}
		}
		n, err := g.Member.NewPatient(names...)
		if err != nil {
			return err
		}
		newcomers = append(newcomers, n)
		in.id, charts[in] = n.ID, n.ID
	}
	for _, in := range all {
		if in.patient.new != nil {
			in.patient = patient{chart: charts[in.patient.new]}
		}
	}
	if o == nil {
		if len(newcomers) == 0 {
			return nil
		}
		return g.Member.Keep("", nil, newcomers...)
	}
	if o.kept == nil {
		o.kept = &kept{Version: keptVersion, Body: o.body.Sum(nil), At: uint64(g.Now().UnixMilli()), Who: who, Type: kind}
	}
	o.kept.note(all)
	raw, err := o.kept.encode()
	if err != nil {
		return err
	}
	return g.Member.Keep(o.name, raw, newcomers...)
}

// finish makes the answer durable. What failed and may do better the next time leaves the request without one.
func (o *once) finish(all []*incoming) error {
	if o == nil {
		return nil
	}
	done := *o.kept
	done.Plan, done.Answer = nil, []answered{}
	for _, in := range all {
		a := answered{Status: in.done.status, Type: in.done.kind, ID: in.done.id, Version: in.done.version}
		if !in.done.at.IsZero() {
			a.At = uint64(in.done.at.UnixMilli())
		}
		if in.err != nil {
			p := asProblem(in.err)
			if p.status >= http.StatusInternalServerError {
				return nil
			}
			a = answered{Status: p.status, Outcome: p.outcome()}
		}
		done.Answer = append(done.Answer, a)
	}
	raw, err := done.encode()
	if err != nil {
		return err
	}
	return o.g.Member.Keep(o.name, raw)
}

// standing is the answer of an entry as it was given.
func (a *answered) standing() standing {
	s := standing{status: a.Status, kind: a.Type, id: a.ID, version: a.Version}
	if a.At != 0 {
		s.at = time.UnixMilli(int64(a.At))
	}
	return s
}

// repeat answers a bundle that was answered before.
func (o *once) repeat(w http.ResponseWriter, r *http.Request) error {
	if _, err := io.Copy(o.body, r.Body); err != nil {
		return err
	}
	if err := o.same(); err != nil {
		return err
	}
	all := make([]reply, len(o.kept.Answer))
	for i := range o.kept.Answer {
		a := &o.kept.Answer[i]
		all[i] = reply{standing: a.standing(), outcome: a.Outcome}
	}
	w.Header().Set("Idempotency-Replayed", "true")
	return writeReplies(w, o.kept.Type, all)
}
