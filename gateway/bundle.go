package gateway

import (
	"bytes"
	"context"
	"net/http"

	"vitalog/exchange"
	"vitalog/fhir"
)

// bundle takes a transaction or a batch.
func (g *gateway) bundle(w http.ResponseWriter, r *http.Request, who exchange.Asker) error {
	o, done, err := g.once(r)
	if err != nil {
		return err
	}
	defer done()
	if o.answered() {
		return o.repeat(w, r)
	}
	var all []*incoming // what is written
	var asks []*fhir.Entry
	kind, err := fhir.ReadBundle(o.read(r.Body), func(e *fhir.Entry) error {
		if e.Bundle != "" && e.Bundle != "transaction" && e.Bundle != "batch" {
			return notABundleToActOn
		}
		if isRead(e) {
			asks = append(asks, e)
			return nil
		}
		in, err := take(e, false)
		in.err = err
		all = append(all, in)
		return nil
	})
	if err == nil {
		err = o.same()
	}
	if err != nil {
		return err
	}
	if len(asks) > 0 && o != nil {
		return invalidAt(asks[0].Element(), "A bundle with an Idempotency-Key has no reads: they may be answered otherwise the next time. Send them alone.")
	}
	reads, err := readsOf(r, asks)
	if err != nil {
		return err
	}
	g.validate(all)
	var names []fhir.Identifier
	for _, in := range all {
		if in.err == nil {
			names = append(names, in.holds()...)
		}
	}
	free, err := g.pending.hold(r.Context(), names)
	if err != nil {
		return err
	}
	defer free()
	switch kind {
	case "transaction":
		if err := invalid(all); err != nil {
			return err
		}
		if err := g.prepare(r.Context(), o, who, all); err != nil {
			return err
		}
		if err := g.write(r.Context(), o, kind, who, all); err != nil {
			return err
		}
	case "batch":
		if err := g.batch(r.Context(), o, who, all); err != nil {
			return err
		}
	default:
		return notABundleToActOn
	}
	replies := make([]reply, len(all)+len(reads))
	for _, in := range all {
		replies[in.entry.Index] = g.answer(w, in)
	}
	room := maxReadBytes
	for i, one := range reads {
		replies[asks[i].Index] = g.readInBundle(w, one, &room)
	}
	return writeReplies(w, kind, replies)
}

// reply is the answer of one entry: where a resource stands, or why not.
type reply struct {
	standing
	outcome  []byte // nil: it stands
	resource []byte // of a read
	tag      string // and its ETag
}

// answer says where a resource stands, or why not.
func (g *gateway) answer(w http.ResponseWriter, in *incoming) reply {
	if in.err != nil {
		p := g.problem(w, in.err)
		return reply{standing: standing{status: p.status}, outcome: p.outcome()}
	}
	return reply{standing: in.done}
}

func writeReplies(w http.ResponseWriter, kind string, all []reply) error {
	var out bytes.Buffer
	b := fhir.NewBundleWriter(&out, kind+"-response", -1)
	for _, a := range all {
		if a.outcome != nil {
			b.Entry(fhir.Out{Status: statusLine(a.status), Outcome: a.outcome})
			continue
		}
		if a.kind == "" {
			b.Entry(fhir.Out{Resource: a.resource, Status: statusLine(a.status), ETag: a.tag})
			continue
		}
		if a.status == http.StatusNoContent {
			b.Entry(fhir.Out{Status: statusLine(a.status), ETag: a.etag(), LastModified: a.modified()})
			continue
		}
		b.Entry(fhir.Out{Status: statusLine(a.status), Location: a.location(), ETag: a.etag(), LastModified: a.modified()})
	}
	if err := b.Close(); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, out.Bytes())
	return nil
}

var notABundleToActOn = invalidAt("Bundle.type", "This address takes bundles of type transaction and batch. Send other bundles as resources to Bundle.")

// batch handles each entry for itself: its failure is its own. Charts are written once, with all that is for them. An error is one that
// concerns the whole.
func (g *gateway) batch(ctx context.Context, o *once, who exchange.Asker, all []*incoming) error {
	var prepared []*incoming
	creates, changed := map[fhir.Identifier]bool{}, map[string]bool{}
	for i, in := range all {
		if in.err != nil {
			continue
		}
		if in.err = g.prepare(ctx, o, who, []*incoming{in}); in.err != nil {
			continue
		}
		if address := in.res.Type() + "/" + in.id; in.update && in.there == nil {
			if changed[address] {
				in.err = in.bad(in.in("url"), "duplicate", "Another entry of the batch changes the same resource. Send them one after the other.")
				continue
			}
			changed[address] = true
		}
		if in.err = in.first(creates); in.err != nil {
			continue
		}
		if in.err = g.Member.mayWrite([]*incoming{in}); in.err != nil {
			continue
		}
		switch {
		case in.there != nil:
			in.done = *in.there
		case in.directory: // at once: a later entry may ask for it
			if in.patched != nil && o != nil && !in.resumed {
				if err := o.plan(g, "batch", who, all[:i+1]); err != nil {
					return err
				}
			}
			in.err = g.list(o, []*incoming{in})
		default:
			prepared = append(prepared, in)
		}
	}
	if err := o.plan(g, "batch", who, all); err != nil {
		return err
	}
	for _, p := range patients(prepared) {
		if err := g.writeChart(ctx, o, who, p.patient, p.resources); err != nil {
			for _, in := range p.resources {
				in.err = err
			}
		}
	}
	return o.finish(all)
}
