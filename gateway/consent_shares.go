package gateway

import (
	"context"
	"fmt"
	"slices"

	"vitalog/consent"
	"vitalog/exchange"
	"vitalog/fhir"
	"vitalog/ihe"
	"vitalog/op"
	"vitalog/section"
)

// maxShares is how many sections times actors times purposes one Consent may grant: each is a key of its own on the ledger.
const maxShares = 256

// shares are the grants that carry a policy out: never for more than it says.
func (g *gateway) shares(ctx context.Context, who exchange.Asker, chart string, p *ihe.Policy) ([]exchange.Share, error) {
	for i, purpose := range p.Purposes {
		if !slices.Contains(exchange.Purposes, purpose) {
			return nil, invalidAt(fmt.Sprintf("Consent.provision.purpose[%d]", i), "No key is made for this purpose of use; there are %v.", exchange.Purposes)
		}
	}
	var members []int
	for i, a := range p.Actors {
		n, ok := g.memberOf(a)
		if !ok {
			return nil, invalidAt(fmt.Sprintf("Consent.provision.actor[%d].reference", i),
				"This is no member of the network. Name one as an identifier of system %s, or by an Organization of the directory that the member listed under its own name.", ihe.MemberSystem)
		}
		if !slices.Contains(members, n) {
			members = append(members, n)
		}
	}
	if n := len(members) * len(p.Purposes) * len(p.Sections); n > maxShares {
		return nil, invalidAt("Consent.provision", "Actors, purposes and sections make %d grants, at most %d are given at once. Write several Consents.", n, maxShares)
	}
	base := exchange.Share{Rights: consent.Read, From: p.From, Until: p.Until}
	if !p.Until.IsZero() && !g.Now().Before(p.Until) {
		return nil, invalidAt("Consent.provision.period", "The period is over: nothing would be shared.")
	}
	var parts []exchange.Share
	if p.Instances == nil && p.Data == (fhir.Interval{}) {
		base.Sections = p.Sections
		parts = append(parts, base)
	} else {
		some, err := g.entriesOf(ctx, who, chart, p)
		if err != nil {
			return nil, err
		}
		for _, s := range p.Sections {
			if ranges := some[s]; ranges != nil {
				part := base
				part.Sections, part.Ranges = []section.Section{s}, ranges
				parts = append(parts, part)
			}
		}
	}
	var out []exchange.Share
	for _, n := range members {
		for _, purpose := range p.Purposes {
			for _, x := range parts {
				x.Member, x.Purpose = n, purpose
				out = append(out, x)
			}
		}
	}
	return out, nil
}

// memberOf is the member that an actor means. An Organization of the directory is one only if the member itself listed it under its own name: members list others
// too.
func (g *gateway) memberOf(a ihe.Reference) (int, bool) {
	members := g.Member.Genesis().Members
	if a.Reference == "" {
		i := slices.IndexFunc(members, func(m op.Member) bool { return a.System == ihe.MemberSystem && m.Name == a.Value })
		return i, i >= 0
	}
	ref := fhir.ParseReference(a.Reference)
	if ref.Type != "Organization" || ref.ID == "" || ref.Base != "" && ref.Base != g.Base {
		return 0, false
	}
	listed, ok := g.Directory.Get("Organization", ref.ID)
	if !ok || listed.Member() < 0 || listed.Member() >= len(members) {
		return 0, false
	}
	names := listed.FHIR().Strings("name")
	return listed.Member(), len(names) == 1 && names[0] == members[listed.Member()].Name
}

// entriesOf are the entries that hold nothing but what a policy permits: its instances, and what was made in its period of data. The records are opened
// for it, and that is a row in the log.
func (g *gateway) entriesOf(ctx context.Context, who exchange.Asker, chart string, p *ihe.Policy) (map[section.Section][]consent.Range, error) {
	opened, err := g.Member.Open(ctx, who, chart, wantOf(p.Sections))
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	if len(opened.Errors) > 0 {
		return nil, didNotOpen(opened)
	}
	wanted := map[string]bool{}
	for i, ref := range p.Instances {
		to := fhir.ParseReference(ref)
		if to.Type == "" || to.ID == "" || to.Base != "" && to.Base != g.Base || opened.Chart.Get(to.Type, to.ID) == nil {
			return nil, invalidAt(fmt.Sprintf("Consent.provision.data[%d].reference", i), "This is no resource of the patient's in a section that the Consent permits, or can't be read for this purpose.")
		}
		wanted[to.Type+"/"+to.ID] = true
	}
	numbers := map[section.Section][]uint64{}
	have := map[string]bool{}
	for res := range opened.Chart.All() {
		v := res.Current()
		if !slices.Contains(p.Sections, v.Section) || slices.Contains(numbers[v.Section], v.Entry) {
			continue
		}
		fits := true
		for i := range v.Content.Items {
			it := &v.Content.Items[i]
			r := it.Resource()
			fits = fits && r != nil && (p.Instances == nil || wanted[it.Type+"/"+it.ID]) && madeWithin(r, p.Data)
		}
		if fits {
			numbers[v.Section] = append(numbers[v.Section], v.Entry)
			for i := range v.Content.Items {
				have[v.Content.Items[i].Type+"/"+v.Content.Items[i].ID] = true
			}
		}
	}
	for i, ref := range p.Instances {
		to := fhir.ParseReference(ref)
		if !have[to.Type+"/"+to.ID] {
			return nil, invalidAt(fmt.Sprintf("Consent.provision.data[%d].reference", i),
				"It is sealed in one record with others that the Consent does not list, or is not of the period of data; a record is shared whole. List those too, or leave it out.")
		}
	}
	out := map[section.Section][]consent.Range{}
	for s, list := range numbers {
		if out[s] = rangesOf(list); len(out[s]) > op.MaxRanges {
			return nil, invalidAt("Consent.provision.data", "What is permitted lies in more than %d places of section %v. Write several Consents, for shorter periods.", op.MaxRanges, s)
		}
	}
	if len(out) == 0 {
		return nil, invalidAt("Consent.provision.dataPeriod", "Nothing that is there now is of this period alone: nothing would be shared.")
	}
	return out, nil
}

// madeWithin tells whether all dates by which a resource says when it was made lie in the period; one that has none doesn't.
func madeWithin(r *fhir.Resource, when fhir.Interval) bool {
	if when == (fhir.Interval{}) {
		return true
	}
	dates := r.Dates(dayPaths + "|period|onsetDateTime|created|authored|started")
	for _, d := range dates {
		if !when.From.IsZero() && (d.From.IsZero() || d.From.Before(when.From)) || !when.To.IsZero() && (d.To.IsZero() || d.To.After(when.To)) {
			return false
		}
	}
	return len(dates) > 0
}

// rangesOf are numbers as ranges.
func rangesOf(numbers []uint64) (out []consent.Range) {
	slices.Sort(numbers)
	for _, n := range slices.Compact(numbers) {
		if i := len(out) - 1; i >= 0 && out[i].To == n {
			out[i].To++
		} else {
			out = append(out, consent.Range{From: n, To: n + 1})
		}
	}
	return out
}
